//! Observing is cheap: many services are read in a fraction of a second even without optimisation.

use std::time::{Duration, Instant};

use super::lab::{Lab, observe};

/// Ten times what an optimised build needs on an idle machine: a guard against calls in a row, not a benchmark.
const OBSERVATION_TIME_MAX: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn twenty_services_are_observed_in_one_sweep() {
    let mut file = String::from("services:\n");
    for number in 0..20 {
        file.push_str(&format!("  s{number}: {{image: 'ipaictl/busybox:1', command: /bin/pause}}\n"));
    }
    let lab = Lab::new("speed", &file).await;
    let project = lab.project();
    lab.create(&project).await;
    observe(&lab, &project).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let facts = observe(&lab, &project).await;
        times.push(start.elapsed());
        let own =
            facts.containers.iter().filter(|one| one.fields.is_some() && one.name.starts_with(&lab.name));
        assert_eq!(own.count(), 20);
    }
    times.sort();
    println!("20 services observed in {:?} (median of 5: {times:?})", times[2]);
    assert!(times[0] < OBSERVATION_TIME_MAX, "{times:?}");
}
