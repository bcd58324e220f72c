//! What the labels of a dataset are, part by part: what `clmbench data check` shows and every suite stores.

use std::collections::HashMap;

use clmbench_protocol::{TaskCheck, TaskInfo, TaskKind};

use crate::prepared::Part;

/// What a task's labels say of one molecule.
#[derive(Debug, Default)]
struct Group {
    first: Option<f64>,
    differ: bool,
    /// Labelled rows in the test part, and in the other two.
    tested: u64,
    other: u64,
}

/// One check for each task. `labels` are row-major [molecules * tasks], NaN = missing; `canonical` and `parts` have one entry a molecule.
pub(crate) fn of_tasks(tasks: &[TaskInfo], labels: &[f64], canonical: &[&str], parts: &[Part]) -> Vec<TaskCheck> {
    let of_task = |place: usize, task: &TaskInfo| {
        let labels = labels.iter().skip(place).step_by(tasks.len());
        let mut groups: HashMap<&str, Group> = HashMap::new();
        let (mut labelled, mut positives, mut missing) = ([0; 3], [0; 3], 0);
        for ((label, canonical), part) in labels.zip(canonical).zip(parts) {
            if label.is_nan() {
                missing += 1;
                continue;
            }
            labelled[*part as usize] += 1;
            positives[*part as usize] += u64::from(*label == 1.0);
            let group = groups.entry(canonical).or_default();
            group.differ |= *group.first.get_or_insert(*label) != *label;
            *(if *part == Part::Test { &mut group.tested } else { &mut group.other }) += 1;
        }
        let three = |[train, valid, test]: [u64; 3]| (train, valid, test);
        TaskCheck {
            task: task.name.clone(),
            labels: three(labelled),
            positives: (task.kind == TaskKind::Classification).then(|| three(positives)),
            missing,
            conflicting: groups.values().filter(|group| group.differ).count() as u64,
            leaked: groups.values().filter(|group| group.other > 0).map(|group| group.tested).sum(),
        }
    };
    tasks.iter().enumerate().map(|(place, task)| of_task(place, task)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, kind: TaskKind) -> TaskInfo {
        TaskInfo { name: name.into(), kind, unit: String::new(), score: "rmse".into() }
    }

    #[test]
    fn a_table_made_by_hand_is_counted_as_by_hand() {
        use Part::{Test, Train, Valid};
        let none = f64::NAN;
        // Molecule, part, a number, a class.
        let rows = [
            ("a", Train, 1.0, 1.0),
            ("a", Test, 2.0, 1.0),  // differs in the number, leaks in both
            ("a", Test, none, 0.0), // differs in the class, leaks in it
            ("b", Valid, 3.0, none),
            ("b", Test, 3.0, 1.0), // the same number leaks; no class elsewhere
            ("c", Test, 4.0, 0.0),
            ("c", Test, 5.0, 0.0), // differs, but both are tested
            ("d", Train, none, none),
            ("e", Train, 0.0, 0.0),
        ];
        let tasks = [task("number", TaskKind::Regression), task("class", TaskKind::Classification)];
        let labels: Vec<f64> = rows.iter().flat_map(|row| [row.2, row.3]).collect();
        let (canonical, parts): (Vec<&str>, Vec<Part>) = rows.iter().map(|row| (row.0, row.1)).unzip();
        let found = of_tasks(&tasks, &labels, &canonical, &parts);
        let number =
            TaskCheck { task: "number".into(), labels: (2, 1, 4), positives: None, missing: 2, conflicting: 2, leaked: 2 };
        let class = TaskCheck {
            task: "class".into(),
            labels: (2, 0, 5),
            positives: Some((1, 0, 2)),
            missing: 2,
            conflicting: 1,
            leaked: 2,
        };
        assert_eq!(found, [number, class]);
        assert_eq!(of_tasks(&[], &[], &canonical, &parts), []);
    }
}
