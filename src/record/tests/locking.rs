//! Locks, journal and inventory on a real file.

use std::collections::BTreeSet;

use super::{at, revision, shop, store};
use crate::model::id::{Kind, ResourceId};
use crate::plan::memory::InventoryEntry;
use crate::record::inventory::InventoryChange;
use crate::record::journal::{OperationEnd, OperationKey, OperationResult, OperationStart, Permission};
use crate::record::locks::{Fences, LockRequest, Locked};
use crate::record::process::ProcessId;
use crate::record::runs::{NewRun, RunRecord};
use crate::record::store::Store;

fn request<'a>(holder: &'a str, seen: Option<&'a Fences>) -> LockRequest<'a> {
    LockRequest { holder, why: "test", plan_hash: "v1:x", seen }
}

#[tokio::test]
async fn a_lock_has_one_holder_and_its_number_only_grows() {
    let (_folder, store) = store().await;
    let both = BTreeSet::from([shop(), ResourceId::new(Kind::Stack, "wiki")]);
    let nothing = store.fences().await.unwrap();
    let Locked::Ours(first) = store.lock(&both, &request("a", Some(&nothing)), at(0)).await.unwrap() else {
        panic!("a free lock is given");
    };
    let Locked::Held(info) = store.lock(&BTreeSet::from([shop()]), &request("b", None), at(1)).await.unwrap()
    else {
        panic!("a held lock is not given")
    };
    assert_eq!((info.holder.as_str(), info.resource.as_str()), ("a", "Stack/shop"));
    assert!(store.renew(&first, at(2)).await.unwrap());
    assert!(!store.force_unlock("1").await.unwrap());
    assert!(store.force_unlock(&info.id).await.unwrap());
    assert!(!store.renew(&first, at(3)).await.unwrap());
    let moved = store.lock(&both, &request("b", Some(&nothing)), at(4)).await.unwrap();
    assert_eq!(moved, Locked::Moved(shop()));
    let Locked::Ours(second) =
        store.lock(&BTreeSet::from([shop()]), &request("b", None), at(5)).await.unwrap()
    else {
        panic!("a lock that was taken away is free")
    };
    assert!(second[&shop()] > first[&shop()]);
    store.release(&first).await.unwrap();
    assert!(store.renew(&second, at(6)).await.unwrap(), "only one's own lock is released");
}

#[tokio::test]
async fn a_lock_of_a_dead_process_is_free_at_once() {
    let (_folder, store) = store().await;
    let only = BTreeSet::from([shop()]);
    assert!(matches!(store.lock(&only, &request("a", None), at(0)).await.unwrap(), Locked::Ours(_)));
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = ProcessId { pid: child.id(), ..ProcessId::current() };
    child.wait().unwrap();
    let mut writing = store.writing().await.unwrap();
    sqlx::query("UPDATE locks SET process = $1")
        .bind(dead.text())
        .execute(writing.connection())
        .await
        .unwrap();
    writing.commit().await.unwrap();
    assert!(matches!(store.lock(&only, &request("b", None), at(1)).await.unwrap(), Locked::Ours(_)));
}

fn entry(name: &str, id: &str) -> InventoryEntry {
    InventoryEntry {
        resource: shop(),
        host: "local".into(),
        kind: "container".into(),
        name: name.into(),
        engine_id: id.into(),
        protect: false,
    }
}

pub(super) async fn begun(store: &Store) -> (RunRecord, i64) {
    let record = store
        .begin_run(
            &NewRun {
                correlation: "c1",
                scope: "Stack/shop",
                revision: &revision("abc"),
                plan_hash: "v1:x",
                holder: "tester",
                reports: &[],
            },
            at(0),
        )
        .await
        .unwrap();
    let locked = store.lock(&BTreeSet::from([shop()]), &request("tester", None), at(0)).await.unwrap();
    let Locked::Ours(fences) = locked else { panic!("free") };
    (record, fences[&shop()])
}

pub(super) fn start(
    run: &str,
    position: u32,
    fencing: i64,
    change: Option<InventoryChange>,
) -> OperationStart {
    OperationStart {
        key: OperationKey { run: run.into(), step: 1, position },
        resource: shop(),
        host: "local".into(),
        subject: "container shop-web-1".into(),
        operation: serde_json::json!({"engine": {"createContainer": {"name": "shop-web-1"}}}),
        fencing,
        inventory: change,
    }
}

pub(super) fn end(run: &str, position: u32, change: Option<InventoryChange>) -> OperationEnd {
    OperationEnd {
        key: OperationKey { run: run.into(), step: 1, position },
        result: OperationResult::Done,
        detail: "made".into(),
        inventory: change,
    }
}

#[tokio::test]
async fn the_journal_and_the_inventory_move_together_and_only_under_the_lock() {
    let (_folder, store) = store().await;
    let (run, fencing) = begun(&store).await;
    assert_eq!(run.id, format!("{}-1", at(0).format("%Y%m%d-%H%M")));
    let add = InventoryChange::Add(entry("tmp_shop-web-1", ""));
    let permission = store.advance(None, Some(&start(&run.id, 0, fencing, Some(add))), at(1)).await.unwrap();
    assert_eq!(permission, Permission::Granted);
    assert_eq!(store.inventory().await.unwrap(), [entry("tmp_shop-web-1", "")]);
    assert_eq!(store.open_operations().await.unwrap().len(), 1);

    let made = InventoryChange::Add(entry("tmp_shop-web-1", "f00"));
    let rename = InventoryChange::Add(entry("shop-web-1", "f00"));
    let next = start(&run.id, 1, fencing, Some(rename));
    store.advance(Some(&end(&run.id, 0, Some(made))), Some(&next), at(2)).await.unwrap();
    assert_eq!(store.inventory().await.unwrap().len(), 2, "both names are ours while it is renamed");
    let renamed = InventoryChange::Renamed {
        host: "local".into(),
        from: "tmp_shop-web-1".into(),
        to: "shop-web-1".into(),
    };
    store.advance(Some(&end(&run.id, 1, Some(renamed))), None, at(2)).await.unwrap();
    assert_eq!(store.inventory().await.unwrap(), [entry("shop-web-1", "f00")]);

    let lock = store.locks().await.unwrap().remove(0);
    store.force_unlock(&lock.id).await.unwrap();
    let remove = InventoryChange::Remove {
        host: "local".into(),
        kind: "container".into(),
        engine_id: "f00".into(),
        name: "shop-web-1".into(),
    };
    let refused = start(&run.id, 2, fencing, Some(remove));
    let permission = store.advance(Some(&end(&run.id, 1, None)), Some(&refused), at(3)).await.unwrap();
    assert_eq!(permission, Permission::LeaseLost);
    assert_eq!(store.inventory().await.unwrap().len(), 1, "nothing of a refused operation is kept");
    let journal = store.journal(&run.id).await.unwrap();
    assert_eq!(journal.iter().map(|row| row.result).collect::<Vec<_>>(), [OperationResult::Done; 2]);
}

#[tokio::test]
async fn only_our_operations_that_end_a_container_at_that_time_count_as_our_stops() {
    let (_folder, store) = store().await;
    let (run, fencing) = begun(&store).await;
    let mut stop = start(&run.id, 0, fencing, None);
    stop.operation = serde_json::json!({"engine": {"stopContainer": {"container": {"id": "c0ffee"}}}});
    store.advance(None, Some(&stop), at(10)).await.unwrap();
    let during =
        async |names: &[&str], from, to| store.has_stopped("local", names, at(from), at(to)).await.unwrap();
    // Under way, it has no end yet.
    assert!(during(&["c0ffee", "other"], 60, 64).await);
    assert!(during(&["beef", "shop-web-1"], 9, 11).await);
    assert!(!during(&["beef", "shop-web"], 9, 11).await);
    assert!(!during(&["c0ffee"], 1, 9).await);
    store
        .advance(Some(&end(&run.id, 0, None)), Some(&start(&run.id, 1, fencing, None)), at(12))
        .await
        .unwrap();
    assert!(during(&["c0ffee"], 11, 15).await);
    // Ended, and what is under way now makes a container.
    assert!(!during(&["c0ffee", "shop-web-1"], 13, 17).await);
    assert!(!store.has_stopped("elsewhere", &["c0ffee"], at(9), at(11)).await.unwrap());
}
