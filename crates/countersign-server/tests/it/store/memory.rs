//! The contract in memory, bare and behind the fault wrapper.

use countersign_server::store::memory::MemoryStore;
use countersign_server::store::{Reader, Store};

use super::contract::contract;
use super::faulty::{Faults, FaultyStore};
use super::fixture::Author;

#[test]
fn memory_keeps_the_contract() {
    contract(|| Box::new(MemoryStore::new()));
}

#[test]
fn a_store_without_planned_faults_keeps_the_contract() {
    contract(|| Box::new(FaultyStore::new(MemoryStore::new(), &Faults::default())));
}

#[test]
fn a_clone_is_the_same_store() {
    let mut store = MemoryStore::new();
    let mut clone = store.clone();
    store.append(&Author::new().batch(&["apr_a"])).unwrap();
    assert_eq!(clone.head().unwrap().size(), 1);
}
