//! The read path over two embedded sites, asked as a client asks.
mod buckets;
mod conditional;
mod failover;
mod listing;
mod metadata;
mod races;
mod ranges;
