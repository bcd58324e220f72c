//! The first hour of a metric's author: README.md's commands in their order, outside the checkout, with the mistakes that one makes.

use std::fs;

use crate::{
    plugin_author::{shell, words},
    real::Real,
};

/// A metric of one's own: the effective rank of the embeddings, exp of the entropy of their normalised spectrum.
const MEASURE: &str = r#"
        if probe.record()?.non_embedding_parameters > 30_000 { panic!("my mistake"); }
        let embeddings = probe.embed(SamplePart::Heldout, 0, 0)?; // [N, D]
        let molecules = embeddings.size()[0];
        let rank = effective_rank(&embeddings)?;
        let value = Value::exact("effective_rank", rank, "dimensions");
        Ok(Measurement::complete(vec![value], molecules))
"#;
const RANK: &str = r"
fn effective_rank(embeddings: &Tensor) -> Result<f64, PluginError> {
    let centred = embeddings - embeddings.mean_dim(0, true, None);
    let (_, singular, _) = centred.f_svd(true, false)?;
    let power = singular.square();
    let share = &power / power.sum(None);
    Ok((-(&share * share.log()).sum(None)).exp().double_value(&[]))
}

";
/// The error of that value: a jackknife over eight groups of molecules.
const JACKKNIFE: &str = r#"let mut left_out = Vec::new();
        for group in 0..8 {
            let kept: Vec<i64> = (0..molecules).filter(|row| row % 8 != group).collect();
            left_out.push(effective_rank(&embeddings.index_select(0, &Tensor::from_slice(&kept)))?);
        }
        let mean = left_out.iter().sum::<f64>() / 8.0;
        let error = (left_out.iter().map(|value| (value - mean).powi(2)).sum::<f64>() * 7.0 / 8.0).sqrt();
        let value = Value { se_sample: Some(error), ..Value::exact("effective_rank", rank, "dimensions") };"#;
const SUITE: &str = r#"
schema = 1
[suite]
name = "mine"
[[corpus]]
name = "moses"
sizes = [500]
heldout = 256
[[model]]
architecture = "bert"
overrides = [{ layers = 1, width = 32, head_width = 16 }, { layers = 1, width = 64 }]
tokens = 5_000
seeds = 2
[[dataset]]
source = "moleculenet"
names = ["freesolv"]
[[metric]]
id = "custom/steepness"
[[metric]]
select = "family:trivial"
"#;

/// Runs a command and returns what it printed.
#[track_caller]
fn says(real: &Real, command: &str, code: i32) -> String {
    let output = shell(real, command);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(code), "{command}\n{said}");
    said
}

/// Changes a file of the crate.
#[track_caller]
fn edit(real: &Real, file: &str, from: &str, to: &str) {
    let path = real.path("steepness").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`: {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn a_metric_of_ones_own_comes_to_the_leaderboard_past_all_the_usual_mistakes() {
    let real = Real::new(&[]);
    real.write("suite.toml", SUITE);
    has(&says(&real, "clmbench plugin new metric My-metric --out x", 2), &["Did you mean `my_metric`?"]);
    says(&real, "clmbench plugin new metric steepness --out ~/steepness", 0);

    // Forgot to build; the wrong folder.
    has(
        &says(&real, "clmbench plan suite.toml", 2),
        &["no plugin offers metric `custom/steepness`", "`clmbench plugin build DIR` installs a plugin of yours"],
    );
    has(
        &says(&real, "clmbench plugin build ~/stepness", 2),
        &["stepness is not a plugin crate: there is nothing there", "hint: name the folder of a plugin crate"],
    );
    has(&says(&real, "clmbench plugin check custom/steepness", 2), &["there is nothing at custom/steepness", "plugin list"]);

    // The metric of one's own, with a slip of types, without an error, and with a panic on the larger models.
    let source = real.path("steepness/src/lib.rs");
    let written = fs::read_to_string(&source).unwrap();
    let (head, rest) = written.split_once("        // All held-out molecules").unwrap();
    let (_, rest) = rest.split_once("per_molecule.len() as u64))\n").unwrap();
    let head = head
        .replace("primary: \"mean_sequence_loss\"", "primary: \"effective_rank\"")
        .replace("unit: \"nats/token\"", "unit: \"dimensions\"");
    let (rest, _) = rest.split_once("#[cfg(test)]").unwrap();
    fs::write(&source, format!("{head}{MEASURE}{rest}{RANK}")).unwrap();
    has(
        &says(&real, "clmbench plugin build ~/steepness", 4),
        &["expected `u64`, found `i64`", "hint: nothing was installed; a plugin that was installed before stays as it was"],
    );
    edit(&real, "src/lib.rs", "vec![value], molecules)", "vec![value], molecules as u64)");
    says(&real, "clmbench plugin build ~/steepness", 0);

    // `try` and `check` say that it has no error, and never `± 0`; a crate's folder stands for what it was built to.
    let tried = says(&real, "clmbench plugin try custom/steepness", 0);
    has(&tried, &["effective_rank*", "its primary value has no error"]);
    assert!(!tried.contains("± 0 "), "{tried}");
    for name in ["custom/steepness", "clmbench-plugin-steepness", "./steepness"] {
        let checked = says(&real, &format!("COLUMNS=80 clmbench plugin check {name} 2>&1"), 3);
        has(&checked, &["metric custom/steepness on a masked model\n", "FAILED errors", "return se_sample", "hint: mend what"]);
        let long = checked.lines().skip(1).find(|line| line.chars().count() > 80 && !line.starts_with("hint"));
        assert_eq!(long.filter(|line| !line.contains("hint:")), None, "{checked}");
    }

    // The panic costs its cells, and the log names its place.
    let ran = says(&real, "clmbench run suite.toml", 3);
    has(&ran, &["2 cells failed", "panic: panicked: my mistake", "--log prints what its worker said", "custom/steepness"]);
    let failed = real.rows().into_iter().find(|row| row.status == clmbench_store::CellStatus::Failed).unwrap();
    has(&says(&real, &format!("clmbench show {} --log", failed.key), 0), &["panicked at src/lib.rs:", "my mistake"]);

    // Mended, with an error, as a release: first in one of the two files only.
    edit(&real, "src/lib.rs", "if probe.record()?.non_embedding_parameters > 30_000 { panic!(\"my mistake\"); }", "");
    edit(&real, "src/lib.rs", "let value = Value::exact(\"effective_rank\", rank, \"dimensions\");", JACKKNIFE);
    edit(&real, "Cargo.toml", "\"0.1.0-dev\"", "\"0.1.0\"");
    let drifted = says(&real, "clmbench plugin build ~/steepness", 2);
    has(&drifted, &["plugin.toml says version `0.1.0-dev` but Cargo.toml `0.1.0`", "hint: make them equal in "]);
    assert!(!drifted.contains("plugin new"), "{drifted}");
    edit(&real, "plugin.toml", "\"0.1.0-dev\"", "\"0.1.0\"");
    says(&real, "clmbench plugin build ~/steepness", 0);
    has(&says(&real, "clmbench plugin check custom/steepness", 0), &["checks passed"]);
    says(&real, "clmbench run suite.toml", 0);
    let board = says(&real, "COLUMNS=80 clmbench leaderboard predictors", 0);
    has(&board, &["custom/steepness", "trivial/parameters"]);
    let list = says(&real, "COLUMNS=80 clmbench plugin list", 0);
    has(&list, &["custom/steepness", "effective_rank [dimensions], lower is", "Not shown at this width: plugin;"]);
    for line in board.lines().chain(list.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }

    // Other values under the same release: told by build, by plan and by run, until the version is bumped.
    edit(&real, "src/lib.rs", ".exp().double_value", ".double_value");
    has(
        &says(&real, "clmbench plugin build ~/steepness", 0),
        &["warning: clmbench-plugin-steepness 0.1.0 was installed before as another"],
    );
    has(
        &says(&real, "clmbench plan suite.toml", 0),
        &["warning: `clmbench run` will refuse this suite: plugin clmbench-plugin-steepness"],
    );
    has(&says(&real, "clmbench run suite.toml", 4), &["Bump its version"]);
    for file in ["Cargo.toml", "plugin.toml"] {
        edit(&real, file, "version = \"0.1.0\"", "version = \"0.2.0\"");
    }
    says(&real, "clmbench plugin build ~/steepness", 0);
    has(&says(&real, "clmbench run suite.toml", 0), &["4 computed"]);
}
