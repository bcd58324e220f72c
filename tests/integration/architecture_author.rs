//! Adding an architecture is one folder: the commands of plugins/README.md, from its first line to the score of a checkpoint that is
//! read from a folder, with no file of the checkout touched.

use std::fs;

use clmbench_store::{CellStatus, Store};

use crate::{
    plugin_author::{shell, tracked, untouched, words},
    real::{Real, checkout},
};

/// One run of the author's architecture on one dataset.
const SUITE: &str = r#"
schema = 1
[suite]
name = "bag"
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[model]]
architecture = "bag"
presets = ["tiny"]
tokens = 2000
batch = 16
[[dataset]]
source = "moleculenet"
names = ["freesolv"]
[[metric]]
id = "loss/mlm_loss"
"#;

/// The same measurements of a checkpoint in a folder.
const THEIRS: &str = r#"
schema = 1
[suite]
name = "theirs"
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[checkpoint]]
path = "theirs"
[[dataset]]
source = "moleculenet"
names = ["freesolv"]
[[metric]]
id = "loss/mlm_loss"
"#;

/// The commands of plugins/README.md for an architecture.
fn commands() -> String {
    let readme = fs::read_to_string(checkout().join("plugins/README.md")).unwrap();
    let blocks: Vec<&str> = readme.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    blocks[0].to_owned()
}

#[test]
fn adding_an_architecture_is_one_folder() {
    let before = tracked();
    let real = Real::new(&[]);
    real.write("bag.toml", SUITE);
    let output = shell(&real, &format!("set -e\n{}", commands()));
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    for part in [
        "it_reads_the_configuration_that_it_writes ... ok",
        "installed clmbench-plugin-bag 0.1.0-dev",
        "checks passed",
        "bag",
        "tiny",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done), "{:?}", real.rows());
    let run = "bag-tiny/moses-200/seed0/checkpoint-1";
    let score = real.output(&format!("transfer/{run}/freesolv/probe"))["tasks"][0].clone();
    let trained = real.output("pretrain/bag-tiny/moses-200/seed0");
    let loss = real.value(&format!("measure/{run}/loss.mlm_loss"), "mlm_loss");

    // The folder of its checkpoint, as somebody else would hand it on: three files, nothing that says whose run it was.
    let store = Store::open_reader(&real.store()).unwrap();
    let identity = real.row("pretrain/bag-tiny/moses-200/seed0").identity.unwrap();
    let folder = store.artifact_dir(&identity).join("checkpoint-1");
    fs::create_dir(real.path("theirs")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(folder.join(file), real.path("theirs").join(file)).unwrap();
    }
    real.write("theirs.toml", THEIRS);
    real.clmbench(&["run", "theirs.toml"]).code(0);
    assert!(real.rows().iter().all(|row| row.status == CellStatus::Done), "{:?}", real.rows());
    let imported = real.output("import/theirs");
    let config = serde_json::json!({"layers": 1, "width": 32});
    assert_eq!((&imported["architecture"], &imported["config"]), (&"bag".into(), &config));

    // The same weights under the same tokenizer: the same bytes, the same score digit for digit, and the same loss.
    assert_eq!(imported["checkpoint"]["weights_digest"], trained["checkpoints"][0]["weights_digest"]);
    let again = real.output("transfer/theirs/checkpoint-0/freesolv/probe")["tasks"][0].clone();
    assert_eq!(again["scores"], score["scores"]);
    assert_eq!(real.value("measure/theirs/checkpoint-0/loss.mlm_loss", "mlm_loss").to_bits(), loss.to_bits());

    // A config.json that it does not read is refused by its field.
    let config = fs::read_to_string(real.path("theirs/config.json")).unwrap();
    assert!(config.contains("hidden_size"), "{config}");
    real.write("theirs/config.json", &config.replace("hidden_size", "width_of_all"));
    let refused = real.clmbench(&["run", "theirs.toml"]).code(3);
    let wanted = "import/theirs  bad_input: config.json has no `hidden_size`; a whole number from 1 to 2147483647 is needed";
    assert!(refused.stderr.contains(wanted), "{}", refused.stderr);

    untouched(before);
}
