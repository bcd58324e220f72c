//! What has no score is refused in words; what does not matter changes nothing.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use clmbench_plugin_roughness::{Modi, Rmodi, Rogi, RogiXd};
use clmbench_sdk::prelude::*;
use common::{measure, measure_with, named, normals};

fn all() -> [&'static dyn Metric; 4] {
    [&Rogi, &RogiXd, &Modi, &Rmodi]
}

/// Labels of the kind that the metric takes: the first feature, or whether it is positive.
fn labels(metric: &dyn Metric, rows: &Tensor) -> Tensor {
    let label = rows.select(1, 0) + rows.select(1, 1) * 0.3;
    if metric.info().tasks == [TaskKind::Classification] { label.gt(0.0).to_kind(Kind::Double) } else { label }
}

fn refusal(metric: &dyn Metric, rows: &Tensor, labels: &Tensor) -> PluginError {
    measure_with(metric, rows, labels, &[]).unwrap_err()
}

#[test]
fn every_score_refuses_what_is_not_finite_equal_or_too_few() {
    for metric in all() {
        let rows = normals(64, 5, 1);
        let good = labels(metric, &rows);
        let few = "the task has 31 labelled training molecules, and 31 are used; at least 32 are needed for an error";
        assert_eq!(refusal(metric, &rows.narrow(0, 0, 31), &good.narrow(0, 0, 31)), PluginError::Input(few.into()));
        let equal = "all 64 molecules have the same embedding: nothing is near or far";
        assert_eq!(refusal(metric, &(&rows * 1e-9 + 1.0), &good), PluginError::NonFinite(equal.into()));
        let _ = rows.get(3).get(2).fill_(f64::NAN);
        let broken = "embeddings of 1 of 64 molecules are not finite: has the run diverged?";
        assert_eq!(refusal(metric, &rows, &good), PluginError::NonFinite(broken.into()));
        let _ = rows.get(3).get(2).fill_(0.0);
        let _ = good.get(3).fill_(f64::INFINITY);
        assert_eq!(refusal(metric, &rows, &good), PluginError::NonFinite("a label is inf".into()));
    }
}

#[test]
fn constant_labels_are_refused_and_so_is_a_difference_in_one_half() {
    let (rows, constant) = (normals(64, 5, 1), Tensor::full([64], 2.5, (Kind::Double, Device::Cpu)));
    for metric in [&Rogi as &dyn Metric, &RogiXd, &Rmodi] {
        let text = "the labels of all 64 molecules are 2.5: constant labels are neither smooth nor rough; leave this task out";
        assert_eq!(refusal(metric, &rows, &constant), PluginError::Input(text.into()));
        let one = constant.copy();
        let _ = one.get(5).fill_(1.0);
        let text = "labels differ in so few molecules that those of a random half are equal: no error can be told; take more (parameter `molecules`)";
        assert_eq!(refusal(metric, &rows, &one), PluginError::Input(text.into()));
    }
}

#[test]
fn classes_need_two_members_and_the_labels_0_and_1() {
    let rows = normals(64, 5, 1);
    let none = Tensor::zeros([64], (Kind::Double, Device::Cpu));
    let text = |class: u8, members: u8| {
        PluginError::Input(format!(
            "class {class} has {members} of 64 molecules; each class needs 2: take more (parameter `molecules`) or leave the task out"
        ))
    };
    assert_eq!(refusal(&Modi, &rows, &none), text(1, 0));
    let one = none.copy();
    let _ = one.get(40).fill_(1.0);
    assert_eq!(refusal(&Modi, &rows, &one), text(1, 1));
    assert_eq!(refusal(&Modi, &rows, &(1.0 - &one)), text(0, 1));
    // Two members, whatever groups they are in, have a score and an error.
    let _ = one.get(41).fill_(1.0);
    let found = named(&measure(&Modi, &rows, &one), "modi");
    assert!(found.value.is_finite() && found.se_sample.unwrap().is_finite());
    let _ = one.get(3).fill_(0.5);
    assert_eq!(refusal(&Modi, &rows, &one), PluginError::Input("a label is 0.5; classes are 0 and 1".into()));
}

#[test]
fn neither_order_nor_scale_matters() {
    let rows = normals(96, 6, 1);
    let order = (Tensor::arange(96, (Kind::Int64, Device::Cpu)) * 35).remainder(96);
    for metric in all() {
        let (primary, labels) = (metric.info().primary, labels(metric, &rows));
        let of = |rows: &Tensor, labels: &Tensor| named(&measure(metric, rows, labels), &primary).value;
        let value = of(&rows, &labels);
        assert!((of(&rows.index_select(0, &order), &labels.index_select(0, &order)) - value).abs() < 1e-9, "{primary}");
        assert!((of(&(&rows * 50.0 + 9.0), &labels) - value).abs() < 1e-9, "{primary}");
        if metric.info().tasks == [TaskKind::Regression] {
            assert!((of(&rows, &(&labels * -3.0 + 1.0)) - value).abs() < 1e-9, "{primary}");
        }
    }
}

#[test]
fn duplicates_from_other_batches_are_duplicates() {
    let rows = Tensor::cat(&[normals(60, 6, 1), normals(60, 6, 1)], 0);
    let noise = normals(120, 6, 2) * 1e-7 + 1.0;
    for metric in all() {
        let (primary, labels) = (metric.info().primary, labels(metric, &normals(120, 6, 3)));
        let of = |rows: &Tensor| named(&measure(metric, rows, &labels), &primary).value;
        assert!((of(&(&rows * &noise)) - of(&rows)).abs() < 1e-5, "{primary}");
    }
}

#[test]
fn molecules_are_capped_and_the_curve_is_left() {
    let rows = normals(96, 6, 1);
    let labels = labels(&Rogi, &rows);
    let capped = measure_with(&RogiXd, &rows, &labels, &[("molecules", 40.0)]).unwrap();
    let alone = measure(&RogiXd, &rows.narrow(0, 0, 40), &labels.narrow(0, 0, 40));
    assert_eq!((capped.molecules, capped.stopped, &capped.values), (40, "complete", &alone.values));
    let curve = String::from_utf8(capped.artifacts[0].1.clone()).unwrap();
    assert!(curve.starts_with("threshold,clusters,sigma\n0,40,") && curve.ends_with("\n1,1,0\n"), "{curve}");
    assert_eq!(capped.artifacts[0].0, "curve.csv");
}
