//! Rows for the tests of figures.

use clmbench_analysis::{Details, FitPoint, Pool, PredictorRow};
use clmbench_protocol::Objective;
use clmbench_store::{FitRow, StatisticRow};

use super::Figure;
use crate::html::node::Node;

/// The drawing as text.
pub fn drawn(figure: &Figure) -> String {
    let mut out = String::new();
    Node::from(figure.drawing.clone()).write(&mut out);
    assert!(!out.contains("NaN") && !out.contains("inf\""), "{out}");
    assert!(!figure.alternative.is_empty() && !figure.caption.is_empty() && !figure.title.is_empty());
    assert!(figure.id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'), "{}", figure.id);
    assert!(figure.data.rows.iter().all(|row| row.len() == figure.data.columns.len()), "{:?}", figure.data);
    out
}

/// A statistic of a metric under `probe`.
pub fn statistic(kind: &str, name: &str, metric: &str) -> StatisticRow {
    StatisticRow {
        kind: kind.into(),
        name: name.into(),
        metric: Some(metric.into()),
        protocol: Some("probe".into()),
        n: 12,
        ..StatisticRow::default()
    }
}

/// A fit of 12 runs under `probe` on a line with some noise.
pub fn predictor(metric: &str, dataset: &str, spearman: f64) -> PredictorRow {
    let points = (0..12).map(|index| {
        let x = f64::from(index);
        FitPoint {
            run: format!("run{index}"),
            label: format!("run {index}"),
            metric: x.into(),
            metric_std_error: 0.1.into(),
            score: (2.0 * x + if index % 2 == 0 { 0.5 } else { -0.5 }).into(),
            score_se_test: 0.2.into(),
            score_se_seed: None,
            transfer_seeds: 1,
        }
    });
    PredictorRow {
        suite: "demo".into(),
        rank: 1,
        fit: FitRow {
            metric: metric.into(),
            dataset: dataset.into(),
            task: "t".into(),
            protocol: "probe".into(),
            pool: "masked_lm tokenizer:0 sample:1 split:2 probe".into(),
            score: "rmse".into(),
            n: 12,
            spearman: Some(spearman),
            spearman_low: Some(spearman - 0.2),
            spearman_high: Some(spearman + 0.2),
            p_value: Some(0.5),
            p_raw: Some(0.05),
            verdict: "cannot_tell".into(),
            cost_seconds: Some(2.0),
            metric_orientation: "lower_is_better".into(),
            score_orientation: "lower_is_better".into(),
            ..FitRow::default()
        },
        spearman_low90: None,
        spearman_high90: None,
        leaked_test_molecules: None,
        conflicting_labels: None,
        details: Details {
            pool: Pool {
                objective: Objective::MaskedLm,
                tokenizer_digest: "0".into(),
                evaluation_digest: Some("1".into()),
                split_digest: "2".into(),
                data_digest: "3".into(),
                protocol: "probe".into(),
            },
            family: "probe".into(),
            family_size: 5,
            params_json: "{}".into(),
            value_name: "loss".into(),
            unit: "nats".into(),
            useful_effect: 0.5,
            permutation: None,
            spearman_interval: None,
            spearman_interval_reason: None,
            fit_reason: None,
            hc3_std_error: None,
            gain: None,
            random_band: None,
            points: points.collect(),
            excluded: vec![],
        },
    }
}

/// A table of a metric.
pub fn table(file: &str, run: &str, header: &str, rows: &str) -> super::ArtifactTable {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    super::ArtifactTable {
        file: file.into(),
        metric: "a/b".into(),
        run: run.into(),
        parameters: 58_560,
        tokens: Some(1_000_000),
        last: true,
        loss: Some(1.5),
        columns: cells(header),
        rows: rows.lines().map(cells).collect(),
    }
}
