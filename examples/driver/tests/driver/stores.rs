//! Every store of the driver, by the suite that is there for all stores.

use std::cell::{Cell, RefCell};

use driver::store::disk::{Defect, Platter, Volatile};
use driver::store::{Database, Identity, Journaled, Memory, Store, conformance};
use raft_core::{ClusterId, NodeId};

use crate::power::Machine;

#[test]
fn the_store_in_memory_conforms() {
    conformance::check(Memory::new, |store| store);
}

#[test]
fn the_database_conforms_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = Cell::new(0);
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

#[test]
fn the_journaled_database_conforms_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let number = Cell::new(0);
    let path = |nth: u32| folder.path().join(nth.to_string());
    conformance::check(
        || {
            number.set(number.get() + 1);
            Journaled::open(&path(number.get())).expect("a new folder")
        },
        |store| {
            drop(store);
            Journaled::open(&path(number.get())).expect("the same folder")
        },
    );
}

/// A power loss instead of closing: what a call has returned for is there.
#[test]
fn the_journaled_database_conforms_when_the_power_fails() {
    let machine = RefCell::new(Machine::new());
    conformance::check(
        || {
            machine.replace(Machine::new());
            machine.borrow().open()
        },
        |store| {
            let crashed = machine.replace(Machine::new()).crashed(store, 0, 0);
            machine.replace(crashed);
            machine.borrow().open()
        },
    );
}

/// The suite above would not pass without syncs.
#[test]
fn a_disk_that_does_not_sync_loses_everything() {
    let platter = Platter::default();
    let volatile = Volatile::new(platter.clone(), Defect::SyncDoesNothing);
    let store = Database::on(volatile.clone()).expect("opens");
    let mine = Identity { cluster: ClusterId(1), node: NodeId(1) };
    store.claim(mine).expect("is claimed");
    volatile.crash(0).expect("memory does not fail");
    drop(store);
    let other = Identity { node: NodeId(2), ..mine };
    let store = Database::on(Volatile::new(platter, Defect::None)).expect("opens");
    store.claim(other).expect("nobody's name is on it");
}

/// Two processes on one file would be the end of it.
#[test]
fn a_disk_that_loses_what_was_not_synced_is_opened_once_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("node.redb");
    let open = || Database::on(Volatile::in_file(&path, Defect::None).expect("a file"));
    let first = open().expect("nobody else has it");
    let refused = open().map(drop).expect_err("it is open");
    assert!(refused.to_string().contains("already open"), "{refused}");
    drop(first);
    open().expect("nobody else has it any more");
}
