//! `reconcile`, `verify`, `restore` and `drill` from outside: the built binary over two real embedded sites, with real
//! damage: flipped bits, objects missing at one site, wrong bytes at the primary.
#[path = "recovery/drill.rs"]
mod drill;
#[path = "recovery/reconcile.rs"]
mod reconcile;
#[path = "recovery/restore.rs"]
mod restore;
#[path = "recovery/serve.rs"]
mod serve;
#[path = "recovery/verify.rs"]
mod verify;
#[path = "recovery/world.rs"]
mod world;
