//! In which order steps are taken: numbers them so that each comes after those it needs.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeSet, HashMap};

use super::planner::Part;
use super::step::{Operation, Step, StepId, Subject};
use crate::model::draft::DraftStep;

/// A step's place before it is numbered: the part, and the place in its draft. Sorts as it is printed.
type Key = (usize, Subject);

/// All steps in order, and the numbers of each part's.
type Numbered = (Vec<Step>, Vec<Vec<StepId>>);

/// The numbered steps, and the numbers per part; or the parts whose steps need one another in a circle.
pub fn number(parts: &[Part]) -> Result<Numbered, BTreeSet<usize>> {
    let nodes = Nodes::new(parts);
    let order = nodes.sorted()?;
    let mut ids = vec![0; nodes.all.len()];
    for (at, node) in order.iter().enumerate() {
        ids[*node] = at + 1;
    }
    let mut per_part: Vec<Vec<StepId>> = vec![Vec::new(); parts.len()];
    let mut steps = Vec::with_capacity(order.len());
    for node in order {
        let (part, step) = nodes.all[node];
        per_part[part].push(ids[node]);
        let numbers = |edges: &[usize]| {
            let ids: BTreeSet<StepId> = edges.iter().map(|edge| ids[*edge]).collect();
            ids.into_iter().collect::<Vec<_>>()
        };
        // What a circle of mere orders made impossible is left out: it comes later than what waits for it.
        let after: Vec<usize> =
            nodes.after[node].iter().copied().filter(|other| ids[*other] < ids[node]).collect();
        steps.push(finish(&parts[part], step, ids[node], numbers(&nodes.needs[node]), numbers(&after)));
    }
    Ok((steps, per_part))
}

fn finish(
    part: &Part,
    draft: &DraftStep<Operation>,
    id: StepId,
    needs: Vec<StepId>,
    after: Vec<StepId>,
) -> Step {
    Step {
        id,
        resource: part.id.clone(),
        host: part.host.clone(),
        subject: draft.subject.clone(),
        action: draft.action,
        class: draft.class,
        cause: draft.cause.clone(),
        risk: draft.risk,
        downtime_seconds: draft.downtime_seconds,
        fields: draft.fields.clone(),
        needs,
        after,
        fingerprint: draft.fingerprint.clone(),
        operations: draft.operations.clone(),
        undo: draft.undo.clone(),
    }
}

/// All steps and what they wait for, by place.
struct Nodes<'a> {
    all: Vec<(usize, &'a DraftStep<Operation>)>,
    keys: Vec<Key>,
    needs: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl<'a> Nodes<'a> {
    fn new(parts: &'a [Part]) -> Self {
        let mut all = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            all.extend(part.draft.steps.iter().map(|step| (at, step)));
        }
        let mut by_subject: HashMap<(&str, &Subject), Vec<usize>> = HashMap::new();
        for (node, (part, step)) in all.iter().enumerate() {
            by_subject.entry((parts[*part].host.as_str(), &step.subject)).or_default().push(node);
        }
        // Steps of the own part come first; those of others count when the own part has none.
        let resolve = |part: usize, node: usize, subject: &Subject| -> Vec<usize> {
            let found = by_subject.get(&(parts[part].host.as_str(), subject));
            let found: Vec<usize> =
                found.into_iter().flatten().copied().filter(|other| *other != node).collect();
            let own: Vec<usize> = found.iter().copied().filter(|other| all[*other].0 == part).collect();
            if own.is_empty() { found } else { own }
        };
        let edges = |part: usize, node: usize, subjects: &[Subject]| -> Vec<usize> {
            let edges: BTreeSet<usize> =
                subjects.iter().flat_map(|subject| resolve(part, node, subject)).collect();
            edges.into_iter().collect()
        };
        let mut needs: Vec<Vec<usize>> = Vec::with_capacity(all.len());
        let mut after: Vec<Vec<usize>> = Vec::with_capacity(all.len());
        for (node, (part, step)) in all.iter().enumerate() {
            needs.push(edges(*part, node, &step.needs));
            after.push(edges(*part, node, &step.after));
        }
        let mut nodes = Nodes {
            keys: all.iter().map(|(part, step)| (*part, step.subject.clone())).collect(),
            all,
            needs,
            after,
        };
        nodes.follow_resources(parts);
        nodes
    }

    /// `dependsOn`: the first steps of a resource come after the last ones of those it depends on, waits included.
    fn follow_resources(&mut self, parts: &[Part]) {
        if parts.iter().all(|part| part.depends_on.is_empty()) {
            return;
        }
        let mut is_needed = vec![false; self.all.len()];
        for needed in self.needs.iter().flatten() {
            is_needed[*needed] = true;
        }
        let mut ends: HashMap<usize, Vec<usize>> = HashMap::new();
        for (node, (part, _)) in self.all.iter().enumerate() {
            if !is_needed[node] {
                ends.entry(*part).or_default().push(node);
            }
        }
        for (node, (part, _)) in self.all.iter().enumerate() {
            let is_first = !self.needs[node].iter().any(|other| self.all[*other].0 == *part);
            for other in parts[*part].depends_on.iter().filter(|_| is_first) {
                let ends = ends.get(other).map_or(&[][..], Vec::as_slice);
                self.needs[node].extend(ends);
                self.after[node].extend(ends);
            }
        }
    }

    /// The nodes so that each comes after what it waits for; the first in printing order among those that may come.
    fn sorted(&self) -> Result<Vec<usize>, BTreeSet<usize>> {
        let count = self.all.len();
        let mut needs_left: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut after_left: Vec<usize> = self.after.iter().map(Vec::len).collect();
        let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut followed_by: Vec<Vec<usize>> = vec![Vec::new(); count];
        for node in 0..count {
            self.needs[node].iter().for_each(|other| needed_by[*other].push(node));
            self.after[node].iter().for_each(|other| followed_by[*other].push(node));
        }
        let mut ready: BTreeSet<(&Key, usize)> = BTreeSet::new();
        // Those that only an order holds back, which gives way when nothing else is left.
        let mut held_by_order: BTreeSet<(&Key, usize)> = BTreeSet::new();
        for node in 0..count {
            match (needs_left[node], after_left[node]) {
                (0, 0) => drop(ready.insert((&self.keys[node], node))),
                (0, _) => drop(held_by_order.insert((&self.keys[node], node))),
                _ => {}
            }
        }
        let mut order = Vec::with_capacity(count);
        let mut done = vec![false; count];
        while let Some((_, node)) = ready.pop_first().or_else(|| held_by_order.pop_first()) {
            done[node] = true;
            order.push(node);
            needed_by[node].iter().for_each(|other| needs_left[*other] -= 1);
            followed_by[node].iter().for_each(|other| after_left[*other] -= 1);
            for other in needed_by[node].iter().chain(&followed_by[node]).copied() {
                let key = (&self.keys[other], other);
                if done[other] || needs_left[other] > 0 {
                    continue;
                }
                if after_left[other] == 0 {
                    held_by_order.remove(&key);
                    ready.insert(key);
                } else {
                    held_by_order.insert(key);
                }
            }
        }
        if order.len() == count {
            return Ok(order);
        }
        Err((0..count).filter(|node| !done[*node]).map(|node| self.all[node].0).collect())
    }
}
