//! The write path over two real (embedded) sites, each behind a connection that can be broken on purpose: what a client is told, what each site
//! holds afterwards byte for byte, what the journal remembers.
#[path = "write_path/copy_delete.rs"]
mod copy_delete;
#[path = "write_path/faults.rs"]
mod faults;
#[path = "write_path/multipart.rs"]
mod multipart;
#[path = "write_path/put.rs"]
mod put;
#[path = "write_path/reuse.rs"]
mod reuse;
#[path = "write_path/tee.rs"]
mod tee;
#[path = "write_path/wire.rs"]
mod wire;
#[path = "write_path/world.rs"]
mod world;
