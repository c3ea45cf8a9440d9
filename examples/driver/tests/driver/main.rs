//! The driver: its stores under crashes, and nodes over real sockets.

mod power;
mod support;

mod catching_up;
mod cluster;
mod crashes;
mod full_disk;
mod recorder;
mod stores;
mod world;
