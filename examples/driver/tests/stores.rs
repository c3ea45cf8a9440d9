//! Every store of the driver, by the suite that is there for all stores, and the database under crashes.

use std::sync::Arc;

use driver::store::disk::{Defect, Handle, Platter, Volatile};
use driver::store::{Database, Memory, Store, conformance};

#[test]
fn the_store_in_memory_conforms() {
    conformance::check(Memory::new, |store| store);
}

#[test]
fn the_database_conforms_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = std::cell::Cell::new(0);
    let path = |nth: u32| folder.path().join(format!("{nth}.redb"));
    conformance::check(
        || {
            number.set(number.get() + 1);
            Database::open(&path(number.get())).expect("a new file")
        },
        |store| {
            drop(store);
            Database::open(&path(number.get())).expect("the same file")
        },
    );
}

/// A power loss instead of closing: what a call has returned for is there.
#[test]
fn the_database_conforms_on_a_disk_that_loses_what_was_not_synced() {
    let platter = std::cell::RefCell::new(Platter::default());
    let disk = std::cell::RefCell::new(None);
    let open = || {
        let volatile = Arc::new(Volatile::new(platter.borrow().clone(), Defect::None));
        disk.replace(Some(volatile.clone()));
        Database::on(Handle(volatile)).expect("opens")
    };
    conformance::check(
        || {
            platter.replace(Platter::default());
            open()
        },
        |store| {
            let volatile: Arc<Volatile<Platter>> = disk.borrow().clone().expect("was opened");
            volatile.crash(0).expect("memory does not fail");
            drop(store);
            open()
        },
    );
}

/// The suite above would not pass without syncs.
#[test]
fn a_disk_that_does_not_sync_loses_everything() {
    let platter = Platter::default();
    let volatile = Arc::new(Volatile::new(platter.clone(), Defect::SyncDoesNothing));
    let store = Database::on(Handle(volatile.clone())).expect("opens");
    let mine =
        driver::store::Identity { cluster: raft_core::ClusterId(1), node: raft_core::NodeId(1) };
    store.claim(mine).expect("is claimed");
    volatile.crash(0).expect("memory does not fail");
    drop(store);
    let other = driver::store::Identity { node: raft_core::NodeId(2), ..mine };
    let store = Database::on(Volatile::new(platter, Defect::None)).expect("opens");
    store.claim(other).expect("nobody's name is on it");
}
