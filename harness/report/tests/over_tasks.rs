//! What boards say over all tasks, from hand-made boards at 80 and 120 columns.
#![allow(clippy::unwrap_used, missing_docs)]

mod made_up;

use std::collections::BTreeSet;

use clmbench_analysis::{ModelBoard, ModelKind, PooledRow, PredictorBoard};
use clmbench_report::{Style, model_page, model_table, pooled_table, predictor_page, predictor_table, standing_table};

use made_up::*;

/// Many fits with what is stored over all tasks.
fn pooled() -> PredictorBoard {
    let mut board = many();
    let metrics: BTreeSet<(String, bool)> = board.rows.iter().map(|row| (row.fit.metric.clone(), row.fit.trivial)).collect();
    for protocol in ["finetune", "probe"] {
        for (place, (metric, trivial)) in metrics.iter().enumerate() {
            let refused = metric == "trivial/tokens";
            let r = 0.8 - 0.3 * place as f64;
            board.pooled.push(PooledRow {
                rank: place as u32 + 1,
                metric: metric.clone(),
                protocol: protocol.into(),
                pool: "masked_lm".into(),
                trivial: *trivial,
                n: 24,
                n_tasks: 4,
                spearman: (!refused).then_some(r),
                spearman_low: (!refused).then_some((r - 0.4).max(-1.0)),
                spearman_high: (!refused).then_some((r + 0.3).min(1.0)),
                p_value: (!refused).then_some(0.0312),
                p_raw: (!refused).then_some(0.0041),
                verdict: match place {
                    0 => "predicts",
                    _ if refused => "refused",
                    _ => "cannot_tell",
                }
                .into(),
                verdict_reason: Some(if refused { format!("`{metric}` has the same value in every run") } else { "-".into() }),
                refusal: refused.then(|| "constant".into()),
                reversed: false,
                mde: Some(0.56),
                gain: (!trivial).then_some(0.12 - 0.2 * place as f64),
                gain_low: (!trivial).then_some(0.02 - 0.2 * place as f64),
                gain_high: (!trivial).then_some(0.31 - 0.2 * place as f64),
                gain_verdict: (!trivial).then(|| if place == 0 { "better" } else { "cannot_tell" }.into()),
                gain_reason: Some("-".into()),
                gain_mean_rank: (!trivial).then_some(1.2 + place as f64),
                gain_mean_rank_low90: (!trivial).then_some(1.0),
                gain_mean_rank_high90: (!trivial).then_some(2.0 + place as f64),
                gain_top1: (!trivial).then_some(0.7),
                gain_top3: (!trivial).then_some(0.95),
                gain_better: u32::from(place == 0),
                gain_not_better: u32::from(place == 1),
                gain_tasks: if *trivial { 0 } else { 4 },
                mean_rank: (!refused).then_some(1.4 + place as f64),
                mean_rank_low90: (!refused).then_some(1.0),
                mean_rank_high90: (!refused).then_some(3.0 + place as f64),
                top1: (!refused).then_some(0.62),
                top3: (!refused).then_some(0.91),
                unreliable_tasks: vec!["bace/Class".into()],
            });
        }
    }
    board
}

#[test]
fn what_is_over_all_tasks_stands_first_and_alone_where_both_do_not_fit() {
    let board = pooled();
    for width in [80, 120] {
        let text = predictor_table(&board, Style::new(width));
        fits(&text, width);
        assert!(text.lines().count() <= 80, "{text}");
        insta::assert_snapshot!(format!("pooled_{width}"), text);
        let all = predictor_page(&board, true, Style::new(width));
        fits(&all, width);
        assert!(all.contains("Each cell: r over runs"), "{all}");
    }
    assert!(predictor_table(&board, Style::ascii(80)).is_ascii());
    for width in 40..160 {
        fits(&pooled_table(&board, Style::new(width)), width);
    }
    assert!(!pooled_table(&board, Style::new(120)).contains("Each cell"));
}

/// Rankings of three tasks, one of which lacks a model, with two pretraining seeds of another.
fn rankings() -> ModelBoard {
    let mut board = models();
    let mut rows = board.rows.clone();
    let mut second = rows[0].clone();
    (second.label, second.run) = ("bert 0.83M mixed 20k/seed1".into(), Some("second".into()));
    (rows[0].label, second.value) = ("bert 0.83M mixed 20k/seed0".into(), Some(2.45));
    second.rank = Some(2);
    rows.insert(1, second);
    board.rows.clear();
    for (place, dataset) in ["bbbp", "freesolv", "lipo"].into_iter().enumerate() {
        let kept = rows.iter().filter(|row| place != 1 || row.kind != ModelKind::Control);
        board.rows.extend(kept.cloned().map(|mut row| {
            row.dataset = dataset.into();
            row.value = row.value.map(|value| value + place as f64);
            row.higher_is_better = dataset == "bbbp";
            row
        }));
    }
    board
}

#[test]
fn models_over_tasks_with_mean_rank_and_borda_fit_one_screen() {
    let board = rankings();
    for width in [80, 120] {
        let text = model_table(&board, Style::new(width));
        fits(&text, width);
        assert!(text.lines().count() <= 40, "{text}");
        insta::assert_snapshot!(format!("standings_{width}"), text);
    }
    let all = model_page(&board, true, Style::new(80));
    fits(&all, 80);
    assert!(all.contains("seed1") && ["bbbp", "freesolv", "lipo"].iter().all(|task| all.contains(task)), "{all}");
    assert!(standing_table(&board, false, Style::ascii(80)).is_ascii());
    for width in 40..160 {
        fits(&standing_table(&board, false, Style::new(width)), width);
    }
    let mut mixed = board;
    mixed.rows[0].split_digest = "another!!".into();
    let text = model_table(&mixed, Style::new(120)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Not counted: bbbp expt (probe) has several splits or scores (76543210, another!)"), "{text}");
}

#[test]
fn pools_are_told_apart_and_missing_seeds_are_said() {
    let mut board = pooled();
    assert!(!pooled_table(&board, Style::new(120)).contains("causal_lm"));
    let mut others: Vec<PooledRow> = board.pooled.iter().filter(|row| row.protocol == "probe").cloned().collect();
    others.iter_mut().for_each(|row| row.pool = "causal_lm tokenizer:t sample:e probe".into());
    let mut trained = others[0].clone();
    trained.pool = trained.pool.replace("sample:e", "sample:train");
    others.push(trained);
    board.pooled.extend(others);
    let text = pooled_table(&board, Style::new(120));
    assert!(text.contains("causal_lm tokenizer:t probe:") && text.contains("masked_lm:"), "{text}");
    assert_eq!(text.matches("  sample  ").count(), 1, "only where a metric stands twice: {text}");

    let mut board = rankings();
    assert!(!standing_table(&board, false, Style::new(120)).contains("(1 of 2)"));
    board.rows.retain(|row| row.dataset != "bbbp" || row.run.as_deref() != Some("second"));
    let text = standing_table(&board, false, Style::new(120));
    assert_eq!(text.matches("(1 of 2)").count(), 1, "{text}");
    assert!(text.contains("(2 of 3): only so many"), "{text}");
}
