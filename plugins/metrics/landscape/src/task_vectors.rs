//! `landscape/task_vector_norm` and `landscape/task_vector_cosine`: how far and where fine-tuning moves the weights.

use std::fmt::Write;

use clmbench_sdk::prelude::*;

use crate::others::{Others, dot, gram, length, mean_of_means, over_members, principal};

/// What both metrics declare.
fn info(name: &str, doc: &str, direction: Direction) -> MetricInfo {
    MetricInfo {
        id: format!("landscape/task_vector_{name}"),
        doc: doc.into(),
        citation: "Ilharco et al. 2023, arXiv:2212.04089, section 2 (task vectors) and figure 5 (their cosines)".into(),
        unit: "1".into(),
        primary: name.into(),
        direction,
        scope: Scope::Transfer,
        cost: CostClass::Free,
        comparable: Comparable::Any,
        objectives: Vec::new(),
        tasks: Vec::new(),
        parameters: Vec::new(),
        trivial: false,
    }
}

/// `||w1 - w0|| / ||w0||` for pretrained weights w0 and fine-tuned weights w1, averaged over the seeds of a dataset and then over datasets.
pub struct TaskVectorNorm;

impl Metric for TaskVectorNorm {
    fn info(&self) -> MetricInfo {
        let doc = "Distance that fine-tuning moves the weights, relative to their length: averaged over the fine-tunings of a dataset and then \
                   over datasets, and of each fine-tuning. Claimed: what was closer needs to move less. A diagnostic: it is known only \
                   after fine-tuning, and grows with its learning rate and steps. Parameters that pretraining does not train are left \
                   out. `se_estimator` is the spread over seeds, where every dataset has two; without it the value is exact for these \
                   weights.";
        info("norm", doc, Direction::LowerIsBetter)
    }

    fn measure(&self, probe: &Probe<'_>, _params: &Params) -> Result<Measurement, PluginError> {
        let others = Others::read(probe)?;
        if others.rows.is_empty() {
            return Err(PluginError::Input("there are no fine-tuned weights: the metric needs a finetune protocol".into()));
        }
        let own = own_length(&others)?;
        let (mut norms, mut steps) = (Vec::new(), Vec::new());
        let are_kept = others.rows.len() > 1 && others.weights.numel().saturating_mul(others.rows.len()) <= MOST_NUMBERS;
        for index in 0..others.rows.len() {
            probe.progress(index as u64, others.rows.len() as u64, "fine-tuned weights")?;
            let step = others.step(probe, index)?;
            norms.push(length(&step)? / own);
            if are_kept {
                steps.push(step);
            }
        }
        let groups = others.groups();
        let members: Vec<Vec<usize>> = groups.iter().map(|(_, members)| members.clone()).collect();
        let se_estimator = over_members(&groups, |kept| mean_of_means(kept, &norms));
        let mut values = vec![Value { se_estimator, ..Value::exact("norm", mean_of_means(&members, &norms), "1") }];
        for (row, norm) in others.rows.iter().zip(&norms) {
            values.push(Value::exact(&format!("norm/{}", row.name), *norm, "1"));
        }
        let artifacts =
            table(&others, &steps)?.map(|text| ("task_vectors.csv".to_owned(), text.into_bytes())).into_iter().collect();
        Ok(Measurement { artifacts, ..Measurement::complete(values, 0) })
    }
}

/// Numbers of all steps together above which they are not kept for a plane.
const MOST_NUMBERS: usize = 1 << 26;

/// The steps on the plane that holds most of them, with the pretrained weights at 0, as CSV; none without steps that moved.
fn table(others: &Others, steps: &[Tensor]) -> Result<Option<String>, PluginError> {
    let products = gram(steps)?;
    if steps.len() < 2 || products.iter().enumerate().all(|(index, row)| row[index] == 0.0) {
        return Ok(None);
    }
    let (_, places) = principal(&products)?;
    let quoted = |text: &str| text.replace('"', "\"\"");
    let mut text = String::from("weights,dataset,component_1,component_2\npretrained,,0,0\n");
    for (row, [first, second]) in others.rows.iter().zip(places) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\"{}\",\"{}\",{first},{second}", quoted(&row.name), quoted(&row.group));
    }
    Ok(Some(text))
}

fn own_length(others: &Others) -> Result<f64, PluginError> {
    let own = dot(&others.weights, &others.weights)?.sqrt();
    if own > 0.0 { Ok(own) } else { Err(PluginError::Input("all weights of the checkpoint are 0".into())) }
}

/// Mean cosine between the task vectors `w1 - w0` of different datasets: each pair of datasets counts alike, and so does each pair of
/// fine-tunings within it.
pub struct TaskVectorCosine;

impl Metric for TaskVectorCosine {
    fn info(&self) -> MetricInfo {
        let doc = "Mean cosine between the ways that fine-tuning on different datasets moves the weights; also, where there are, between seeds of \
                   one dataset, and of each pair of datasets. Claimed: tasks that pull the same way share what pretraining learnt. A \
                   diagnostic: it is known only after fine-tuning. In many dimensions cosines are small, and those between seeds bound \
                   what is reached between datasets. Holds all task vectors in memory (fine-tunings x parameters). `se_estimator` is \
                   the jackknife over seeds, where every dataset has two; without it the value is exact for these weights. Refused for \
                   one dataset and for weights that did not move.";
        info("cosine", doc, Direction::HigherIsBetter)
    }

    fn measure(&self, probe: &Probe<'_>, _params: &Params) -> Result<Measurement, PluginError> {
        let others = Others::read(probe)?;
        let groups = others.groups();
        if groups.len() < 2 {
            let text =
                format!("the weights are fine-tuned on {} dataset(s); a cosine between datasets needs two or more", groups.len());
            return Err(PluginError::Input(text));
        }
        let mut vectors = Vec::new();
        for index in 0..others.rows.len() {
            probe.progress(index as u64, others.rows.len() as u64, "fine-tuned weights")?;
            let (step, length) = others.moved(probe, index)?;
            vectors.push(step / length);
        }
        let cosines = gram(&vectors)?;
        let members: Vec<Vec<usize>> = groups.iter().map(|(_, members)| members.clone()).collect();
        let between = |kept: &[Vec<usize>]| mean_over_pairs(kept.len(), |a, b| cross(&cosines, &kept[a], &kept[b]));
        let se_estimator = over_members(&groups, between);
        let mut values = vec![Value { se_estimator, ..Value::exact("cosine", between(&members), "1") }];
        let within: Option<Vec<f64>> = members.iter().map(|seeds| own(&cosines, seeds)).collect();
        if let Some(within) = within {
            let mean = within.iter().sum::<f64>() / within.len() as f64;
            // A seed can be left out only where two remain.
            let enough = members.iter().all(|seeds| seeds.len() > 2);
            let means =
                |kept: &[Vec<usize>]| kept.iter().filter_map(|seeds| own(&cosines, seeds)).sum::<f64>() / kept.len() as f64;
            let se_estimator = if enough { over_members(&groups, means) } else { None };
            values.push(Value { se_estimator, ..Value::exact("cosine_of_seeds", mean, "1") });
        }
        for a in 0..groups.len() {
            for b in 0..a {
                let name = format!("cosine/{}/{}", groups[b].0, groups[a].0);
                values.push(Value::exact(&name, cross(&cosines, &members[a], &members[b]), "1"));
            }
        }
        Ok(Measurement::complete(values, 0))
    }
}

/// Mean of a function over pairs of different numbers below `count`.
fn mean_over_pairs(count: usize, of: impl Fn(usize, usize) -> f64) -> f64 {
    let of = &of;
    let pairs: Vec<f64> = (0..count).flat_map(|a| (0..a).map(move |b| of(a, b))).collect();
    pairs.iter().sum::<f64>() / pairs.len() as f64
}

/// Mean cosine between members of two groups.
fn cross(cosines: &[Vec<f64>], first: &[usize], second: &[usize]) -> f64 {
    let sum: f64 = first.iter().flat_map(|a| second.iter().map(|b| cosines[*a][*b])).sum();
    sum / (first.len() * second.len()) as f64
}

/// Mean cosine between members of one group; none for one member.
fn own(cosines: &[Vec<f64>], members: &[usize]) -> Option<f64> {
    (members.len() > 1).then(|| mean_over_pairs(members.len(), |a, b| cosines[members[a]][members[b]]))
}
