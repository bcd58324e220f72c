//! The first hour of a developer of models: README's section for him, command for command, then what goes wrong on the way.

use std::fs;

use crate::{
    plugin_author::{shell, words},
    real::{Real, checkout},
};

/// The commands of README's section, in their order.
fn section() -> String {
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|part| part.starts_with("A model of your own")).unwrap();
    let blocks: Vec<&str> = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 3, "{blocks:?}");
    blocks.concat()
}

/// Rewrites the model's source.
fn edit(real: &Real, from: &str, to: &str) {
    let path = real.path("mymodel/src/lib.rs");
    let source = fs::read_to_string(&path).unwrap();
    assert!(source.contains(from), "{source}");
    fs::write(path, source.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_model_from_nothing_to_a_comparison_in_ci_and_what_goes_wrong() {
    let real = Real::new(&[]);
    // No folder is named before it is there.
    let missing = real.clmbench(&["run", "ci.toml"]).code(2).stderr;
    let demo = checkout().join("benchmarks/suites/demo.toml");
    assert!(missing.contains(&format!("Check the path.\n  hint: a suite to start from is {}", demo.display())), "{missing}");
    assert!(real.clmbench(&["gate"]).code(2).stderr.contains("--baseline"), "it says what it needs");

    let walked = shell(&real, &section());
    let said = words(&walked);
    assert!(walked.status.success(), "{said}");
    assert!(said.contains("installed clmbench-plugin-mymodel 0.1.0-dev") && !said.contains("FAILED"), "{said}");
    assert!(said.contains("Gate: mymodel-tiny/moses-500 against gate baseline bert") && said.contains("Overall: "), "{said}");
    assert!(said.contains("A claim about this checkpoint") && said.contains("freesolv expt (probe)"), "{said}");
    let said = words(&shell(&real, "clmbench run ci.toml"));
    assert!(said.contains("0 computed"), "a second run computes nothing: {said}");
    assert!(!said.contains("mixed_precision"), "{said}");

    // A model that is not finite: told as that by try and check, kept out of the board by name, and not compared.
    let sum = "hidden = hidden + inner";
    edit(&real, sum, "hidden = hidden.f_sqrt()? + inner");
    let broken = shell(
        &real,
        "clmbench -q plugin build mymodel && cd mymodel && { clmbench plugin try mymodel; echo try $?; \
         clmbench plugin check ~/.local/share/clmbench/plugins/clmbench-plugin-mymodel; echo check $?; cd ..; \
         clmbench run ci.toml; echo run $?; clmbench status; clmbench leaderboard models; \
         clmbench gate --baseline bert --candidate mymodel-tiny/moses-500; echo gate $?; }",
    );
    let said = words(&broken);
    // The details of checks are wrapped to the width.
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "architecture mymodel: non_finite: the training loss of step 1 is NaN",
        "try 3\n",
        "the logits of the untrained model are not all finite (NaN or infinite)",
        "check 3\n",
        "run 3\n",
        "diverged pretrain/mymodel-tiny/moses-500/seed0\n  the training loss of step 1 is NaN",
        "next: `clmbench show CELL --log`",
        "mymodel-tiny/moses-500/seed0 (diverged: ",
        "mymodel-tiny/moses-500/seed0 diverged",
        "gate 2\n",
    ] {
        assert!(said.contains(part) || flat.contains(part), "{part}: {said}");
    }
    for lie in ["gave other logits", "not among its parameters()", "the loss does not fall"] {
        assert!(!said.contains(lie), "{lie}: {said}");
    }

    // A panic while training: the run that failed is named beside the board.
    edit(&real, "hidden = hidden.f_sqrt()? + inner", "assert!(ids.size()[0] < 2, \"boom\"); hidden = hidden + inner");
    let panicked =
        shell(&real, "clmbench -q plugin build mymodel; clmbench run ci.toml; echo run $?; clmbench leaderboard models");
    let said = words(&panicked);
    assert!(said.contains("run 3\n"), "{said}");
    let board = said.split("run 3\n").nth(1).unwrap().replace("\n  ", " ");
    assert!(board.contains("mymodel-tiny/moses-500/seed0 (failed: panic: ") && board.contains("boom"), "{board}");

    // Mended, it is computed without further ado; and a moved store is the same store.
    edit(&real, "assert!(ids.size()[0] < 2, \"boom\"); ", "");
    let mended = shell(
        &real,
        "set -e; clmbench -q plugin build mymodel; clmbench -q run ci.toml; cp -r store cached; clmbench --store cached run ci.toml; \
         clmbench gate --baseline bert.json --candidate mymodel-tiny/moses-500 || test $? -ge 10",
    );
    let said = words(&mended);
    assert!(mended.status.success() && said.contains("0 computed"), "{said}");
}
