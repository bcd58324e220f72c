//! The `probe` protocol: frozen embeddings, ridge regression, strength chosen on validation.

use std::path::Path;

use clmbench_molecules::{Part, PreparedDataset};
use clmbench_protocol::{
    Failure, FailureKind, Number, ProbeProtocol, ScoreValue, TaskKind, TaskTransfer, Transfer, TransferOutput, TransferTask,
};
use clmbench_stats::spearman;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use crate::{
    embed::MATRIX,
    failure::{OrFail, Result},
    ridge::Ridge,
    weights,
};

/// Computes a transfer cell from the folders of embeddings and dataset.
///
/// # Errors
/// Unreadable inputs; [`FailureKind::BadInput`] for too few labelled molecules; [`FailureKind::Unsupported`] for
/// protocols and task types that are not there yet.
pub fn run(spec: &Transfer, protocol: &ProbeProtocol, embeddings: &Path, dataset: &Path) -> Result<TransferOutput> {
    let data = PreparedDataset::open(dataset).or_fail()?;
    for (what, found, wanted) in
        [("data", &data.output.data_digest, &spec.data_digest), ("split", &data.output.split_digest, &spec.split_digest)]
    {
        if found != wanted {
            let text = format!("the {what} of {} has digest {found}, not {wanted}; run again to rebuild it", dataset.display());
            return Err(Failure::new(FailureKind::CorruptFile, text));
        }
    }
    let path = embeddings.join("embeddings.safetensors");
    crate::files::expect_digest(&path, &protocol.embedding_digest)?;
    let matrix =
        weights::read(&path)?.into_iter().find(|(name, _)| name == MATRIX).map(|(_, tensor)| tensor).ok_or_else(|| {
            Failure::new(
                FailureKind::CorruptFile,
                format!("{} holds no matrix `{MATRIX}`; run again to rebuild it", path.display()),
            )
        })?;
    if matrix.size()[0] as usize != data.len() {
        let text = format!("{} embeddings for {} molecules of {}", matrix.size()[0], data.len(), spec.dataset);
        return Err(Failure::new(FailureKind::WrongShape, text));
    }
    let matrix = matrix.to_kind(Kind::Double);
    let tasks = spec.tasks.iter().map(|task| probe(spec, protocol, task, &data, &matrix)).collect::<Result<Vec<_>>>()?;
    Ok(TransferOutput { tasks, finetune: None })
}

fn probe(
    spec: &Transfer,
    protocol: &ProbeProtocol,
    wanted: &TransferTask,
    data: &PreparedDataset,
    matrix: &Tensor,
) -> Result<TaskTransfer> {
    if wanted.kind != TaskKind::Regression {
        let text = format!("probe on a {:?} task is not supported yet; there is: probe on regression", wanted.kind);
        return Err(Failure::new(FailureKind::Unsupported, text));
    }
    let task = data
        .task(&wanted.name)
        .ok_or_else(|| Failure::new(FailureKind::BadInput, format!("dataset {} has no task `{}`", spec.dataset, wanted.name)))?;
    let part = |wanted: Part| -> Labelled {
        let rows: Vec<usize> = data.places(wanted).into_iter().filter(|place| !task[*place].is_nan()).collect();
        let labels = rows.iter().map(|place| task[*place]).collect();
        Labelled { labels, rows }
    };
    let (train, valid, test) = (part(Part::Train), part(Part::Valid), part(Part::Test));
    for (name, part, least) in [("training", &train, 3), ("validation", &valid, 2), ("test", &test, 2)] {
        if part.rows.len() < least {
            let text = format!(
                "{}/{}: {} labelled {name} molecules; at least {least} are needed",
                spec.dataset,
                wanted.name,
                part.rows.len()
            );
            return Err(Failure::new(FailureKind::BadInput, text));
        }
    }
    let ridge = Ridge::new(&train.features(matrix)?, &Tensor::from_slice(&train.labels))?;
    let valid_features = valid.features(matrix)?;
    let mut validation = Vec::new();
    for strength in &protocol.strengths {
        let predicted = ridge.predict(&valid_features, strength.0)?;
        validation.push((*strength, Number(rmse(&valid.labels, &predicted))));
    }
    let best = validation.iter().copied().min_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let (strength, _) = best.ok_or_else(|| Failure::new(FailureKind::BadInput, "the protocol names no ridge strengths"))?;
    let predicted = ridge.predict(&test.features(matrix)?, strength.0)?;
    let baseline = train.labels.iter().sum::<f64>() / train.labels.len() as f64;
    let scores = scores(&test.labels, &predicted, baseline, (spec, &wanted.score));
    if !scores.iter().any(|score| score.primary) {
        let known = scores.iter().map(|score| score.name.as_str()).collect::<Vec<_>>().join(", ");
        let text =
            format!("{}/{}: score `{}` is not known for regression; there is: {known}", spec.dataset, wanted.name, wanted.score);
        return Err(Failure::new(FailureKind::Unsupported, text));
    }
    Ok(TaskTransfer {
        task: wanted.name.clone(),
        task_kind: wanted.kind,
        refused: None,
        counts: (train.rows.len() as u64, valid.rows.len() as u64, test.rows.len() as u64),
        strength: Some(strength),
        validation,
        scores,
        predictions: (test.rows.iter().zip(&test.labels).zip(&predicted))
            .map(|((index, label), predicted)| (data.rows[*index], Number(*label), Number(*predicted)))
            .collect(),
    })
}

struct Labelled {
    rows: Vec<usize>,
    labels: Vec<f64>,
}

impl Labelled {
    fn features(&self, matrix: &Tensor) -> Result<Tensor> {
        let rows: Vec<i64> = self.rows.iter().map(|row| *row as i64).collect();
        matrix.f_index_select(0, &Tensor::from_slice(&rows)).or_fail()
    }
}

type Score = fn(&[f64], &[f64]) -> f64;

fn scores(labels: &[f64], predicted: &[f64], baseline: f64, (spec, primary): (&Transfer, &str)) -> Vec<ScoreValue> {
    let table: [(&str, Score, bool); 4] =
        [("rmse", rmse, false), ("mae", mae, false), ("r2", r2, true), ("spearman", rank_correlation, true)];
    let constant = vec![baseline; labels.len()];
    let row = |(name, score, higher_is_better): (&str, Score, bool)| ScoreValue {
        name: name.into(),
        value: score(labels, predicted).into(),
        higher_is_better,
        primary: name == primary,
        se_test: bootstrap(labels, predicted, score, spec.bootstrap, spec.seed).into(),
        se_seed: None,
        mean_predictor: score(labels, &constant).into(),
    };
    table.into_iter().map(row).collect()
}

/// Standard deviation of the score over resamples of the test molecules (Efron & Tibshirani 1993, algorithm 6.1).
fn bootstrap(labels: &[f64], predicted: &[f64], score: Score, draws: u32, seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(crate::seed::derive("test bootstrap", &[&seed.to_le_bytes()]));
    let values = (0..draws).map(|_| {
        let chosen: Vec<usize> = (0..labels.len()).map(|_| rng.random_range(0..labels.len())).collect();
        let pick = |list: &[f64]| chosen.iter().map(|index| list[*index]).collect::<Vec<_>>();
        score(&pick(labels), &pick(predicted))
    });
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { f64::NAN } else { (spread / (values.len() - 1) as f64).sqrt() }
}

fn mean_of(labels: &[f64], predicted: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    labels.iter().zip(predicted).map(|(label, value)| term(label - value)).sum::<f64>() / labels.len() as f64
}

/// Root mean squared error.
fn rmse(labels: &[f64], predicted: &[f64]) -> f64 {
    mean_of(labels, predicted, |error| error * error).sqrt()
}

/// Mean absolute error.
fn mae(labels: &[f64], predicted: &[f64]) -> f64 {
    mean_of(labels, predicted, f64::abs)
}

/// Coefficient of determination on these molecules: 1 - squared error over squared deviation from their own mean.
fn r2(labels: &[f64], predicted: &[f64]) -> f64 {
    let mean = labels.iter().sum::<f64>() / labels.len() as f64;
    let total: f64 = labels.iter().map(|label| (label - mean).powi(2)).sum();
    1.0 - mean_of(labels, predicted, |error| error * error) * labels.len() as f64 / total
}

/// Spearman correlation; NaN where a side is constant.
fn rank_correlation(labels: &[f64], predicted: &[f64]) -> f64 {
    spearman(labels, predicted).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{bootstrap, mae, r2, rmse};

    #[test]
    fn scores_follow_their_formulas() {
        let (labels, predicted) = ([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]);
        assert!((rmse(&labels, &predicted) - (1.25_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((mae(&labels, &predicted) - 0.5).abs() < 1e-12);
        assert!((r2(&labels, &predicted) - (1.0 - 1.25 / (14.0 / 3.0))).abs() < 1e-12);
    }

    #[test]
    fn the_bootstrap_error_of_a_mean_is_its_standard_error() {
        let labels: Vec<f64> = (0..200).map(|i| f64::from((i * 37) % 101)).collect();
        let zeros = vec![0.0; 200];
        let mean = labels.iter().sum::<f64>() / 200.0;
        let spread: f64 = labels.iter().map(|label| (label - mean).powi(2)).sum::<f64>() / 200.0;
        let found = bootstrap(&labels, &zeros, mae, 4000, 1);
        let wanted = (spread / 200.0).sqrt();
        // 4,000 draws: the relative error of a standard deviation is about 1 / sqrt(8,000).
        assert!((found / wanted - 1.0).abs() < 4.0 / 8000_f64.sqrt(), "{found} is not {wanted}");
    }
}
