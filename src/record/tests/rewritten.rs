//! Absence counts only along one history.

use std::collections::BTreeSet;

use super::{at, report, revision, shop, store};
use crate::model::condition::Status;
use crate::model::hash::sha256_hex;
use crate::record::graves::{self, Seen};
use crate::record::resources::{self, SeenApplied};
use crate::record::store::Store;

/// Notes that the shop is absent from a commit; says how many revisions that makes.
async fn absent(store: &Store, commit: &str, strayed: &[&str]) -> u32 {
    let strayed: BTreeSet<String> = strayed.iter().map(|commit| (*commit).to_owned()).collect();
    let (revision, nothing) = (revision(commit), BTreeSet::new());
    let mut writing = store.writing().await.unwrap();
    let seen = Seen { revision: &revision, strayed: &strayed };
    graves::bury(&mut writing, &nothing, &seen, at(9)).await.unwrap();
    writing.commit().await.unwrap();
    let grave = store.tombstones().await.unwrap().remove(&shop()).unwrap();
    assert_eq!(grave.last_revision, commit);
    grave.revisions
}

#[tokio::test]
async fn a_rewritten_revision_counts_for_nothing_and_begins_the_count_again() {
    let (_folder, store) = store().await;
    let applied = revision("a");
    store.save_conditions(&[report("d", Status::True)], Some(&applied), "c", at(1)).await.unwrap();
    let mut writing = store.writing().await.unwrap();
    let seen = SeenApplied {
        resource: &shop(),
        revision: &applied,
        digest: "d",
        plan: None,
        subjects: &Default::default(),
        prune: true,
    };
    resources::applied(&mut writing, &seen).await.unwrap();
    let add = "INSERT INTO inventory (resource, host, kind, name, engine_id, protect, added)
               VALUES ($1, 'h', 'container', 'shop-1', $2, 0, $3)";
    let add =
        sqlx::query(add).bind(shop().to_string()).bind(sha256_hex(b"shop")).bind("2026-01-01T00:00:00.000Z");
    add.execute(writing.connection()).await.unwrap();
    writing.commit().await.unwrap();

    assert_eq!(absent(&store, "rewritten", &["a"]).await, 0);
    assert_eq!(absent(&store, "rewritten", &["a"]).await, 0);
    assert_eq!(absent(&store, "next", &["a"]).await, 1);
    assert_eq!(absent(&store, "next", &["a"]).await, 1);
    assert_eq!(absent(&store, "third", &["a"]).await, 2);
    assert_eq!(absent(&store, "rewritten again", &["a", "third"]).await, 0);
    assert_eq!(absent(&store, "after", &["a", "third"]).await, 1);
}
