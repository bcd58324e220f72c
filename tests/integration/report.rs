//! `report`: one page that says everything, loads nothing, and is the same each time.

use std::fs;

use crate::{
    bench::{Bench, SUITE},
    export::both,
};

#[test]
fn the_page_says_what_was_run_and_what_came_out() {
    let bench = Bench::new(SUITE);
    bench.run();
    let answer = bench.clmbench(&["report"]).code(0);
    assert_eq!(answer.stdout, "clmbench-report-fake.html\n");
    let page = fs::read_to_string(bench.path("clmbench-report-fake.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    for words in [
        "clmbench report: fake",
        "default-src &#39;none&#39;; style-src &#39;sha256-",
        "8 pretraining runs; 4 untrained controls",
        "8 runs find |r| of 0.8",
        " or more 80 % of the time; the useful effect 0.5 takes ",
        "fake/loss",
        "trivial/tokens *",
        "alpha affinity (rmse), probe",
        "`trivial/tokens` has the same value in every run",
        "Made up.",
        "Models by rmse in kcal/mol (smaller is better); 10 molecules tested",
        "Polykovskiy",
        "Nothing: every cell of the plan was computed",
        "names = [&quot;alpha&quot;]",
    ] {
        assert!(page.contains(words), "`{words}` is not in the page");
    }
    assert!(!page.contains(bench.path("").to_str().unwrap()), "no path of this machine");
    // Every number of the tables: r and its interval as the leaderboard prints them, and sorted by the whole number.
    for row in bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows() {
        let Some(r) = row["spearman"].as_f64() else { continue };
        let (low, high) = (row["spearman_low"].as_f64().unwrap(), row["spearman_high"].as_f64().unwrap());
        // Six digits.
        let key = |value: f64| {
            let rounded = format!("{value:.5e}").parse::<f64>().unwrap();
            format!("{rounded:?}").trim_end_matches(".0").to_owned()
        };
        let cell = format!("<td data-v=\"{}\">{r:.2}</td>", key(r));
        let range = format!("<td data-v=\"{}\">[{low:.2}, {high:.2}]</td>", key(low));
        assert!(page.contains(&(cell + &range)), "{row}");
    }
    // The intervals of the five predictors that have one; a figure for every predictor with points, a point for every run: 6
    // predictors, 8 runs.
    let section = |name: &str| {
        let start = format!("<section id=\"{name}\"");
        page.split(start.as_str()).nth(1).unwrap().split("</section>").next().unwrap()
    };
    let fits = section("predictors");
    let marks: usize = ["dot", "hollow", "cross"].iter().map(|kind| fits.matches(&format!("class=\"{kind}\"")).count()).sum();
    assert_eq!((fits.matches("<figure id=\"").count(), marks), (1, 5));
    let of_metrics = section("figures")
        .split("<figure id=\"")
        .filter(|figure| ["score-against-fake-", "score-against-trivial-"].iter().any(|start| figure.starts_with(start)));
    let points: Vec<usize> = of_metrics.map(|figure| figure.matches("class=\"mark s0\"").count()).collect();
    assert_eq!(points, [8; 6]);
    assert_eq!(page.matches("<figcaption>").count(), page.matches("<figure id=\"").count());
    assert_eq!(page.matches("<svg ").count(), page.matches("role=\"img\" aria-labelledby=\"").count());
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!(page.matches("<th ").count(), page.matches("scope=\"").count());
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    // The name of a namespace, which the page's own script writes into saved figures, is no address that is asked.
    let rest = page.replacen("\"http://www.w3.org/2000/svg\"", "", 1);
    for foreign in ["http://", "https://", "<script ", "<link", "<img", "@import", "url("] {
        assert!(!rest.contains(foreign), "{foreign}: the page loads nothing");
    }
}

#[test]
fn the_same_store_makes_the_same_page_wherever_it_is_written() {
    let bench = both();
    bench.run();
    fs::create_dir(bench.path("pages")).unwrap();
    let first = bench.clmbench(&["report", "--suite", "both", "--out", "-"]).code(0).stdout;
    let folder = bench.clmbench(&["report", "--out", "pages"]).code(0).stdout;
    assert_eq!(folder, "pages/clmbench-report-both.html\n");
    bench.clmbench(&["report", "--out", "page.html"]).code(0);
    for path in ["pages/clmbench-report-both.html", "page.html"] {
        assert_eq!(fs::read_to_string(bench.path(path)).unwrap(), first);
    }
    assert_eq!(fs::read_dir(bench.path("pages")).unwrap().count(), 1, "nothing is left beside it");
    for words in ["beta first (roc_auc), finetune", "beta one_class, finetune, 8 models: the test molecules are all of class 0"] {
        assert!(first.contains(words), "`{words}` is not in the page");
    }
    let wrong = bench.clmbench(&["report", "--out", "no/such/folder/page.html"]).code(4);
    assert!(wrong.stderr.contains("no/such/folder/page.html") && wrong.stdout.is_empty(), "{}", wrong.stderr);
    let unknown = bench.clmbench(&["report", "--suite", "other"]).code(2);
    assert!(unknown.stderr.contains("other"), "{}", unknown.stderr);
}

#[test]
fn a_page_of_an_unfinished_suite_says_what_is_missing() {
    let bench = both();
    bench.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "\"layers\":2")]).code(3);
    let page = bench.clmbench(&["report", "--out", "-"]).code(0).stdout;
    for words in ["plugin error", "the fake plugin says no: &lt;no&gt;", "Cells that gave no result", "refused"] {
        assert!(page.contains(words), "`{words}` is not in the page");
    }
    let nothing = both();
    nothing.with(&["run", "suite.toml"], &[("FAKE_WORKER_MISBEHAVE", "fail")]).code(3);
    let page = nothing.clmbench(&["report", "--out", "-"]).code(0).stdout;
    for words in ["There are no fits yet", "No scores yet", "No pretraining run is finished yet", "No dataset is read yet"] {
        assert!(page.contains(words), "`{words}` is not in the page");
    }
}

#[test]
fn a_suite_that_came_out_otherwise_says_so() {
    let bench = Bench::new(&SUITE.replace("expect = \"cannot_tell\"", "expect = \"predicts\""));
    bench.run();
    let page = bench.clmbench(&["report", "--out", "-"]).code(0).stdout;
    assert!(
        page.contains("The suite expects predicts;") && page.contains("came out otherwise"),
        "the outcome beside the expectation"
    );
}

#[test]
fn every_figure_is_written_as_svg_and_csv() {
    let bench = Bench::new(SUITE);
    bench.run();
    let said = bench.clmbench(&["report", "--out", "page.html", "--figures", "deep/figures"]).code(0).stdout;
    let page = fs::read_to_string(bench.path("page.html")).unwrap();
    let names: Vec<&str> = page.split("<figure id=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    assert_eq!(said, format!("page.html\n{} figures in deep/figures (SVG and CSV)\n", names.len()));
    assert_eq!(fs::read_dir(bench.path("deep/figures")).unwrap().count(), 2 * names.len());
    for name in &names {
        let read = |ending: &str| fs::read_to_string(bench.path(&format!("deep/figures/{name}.{ending}"))).unwrap();
        let svg = read("svg");
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg ";
        assert!(svg.starts_with(start) && svg.contains("xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.contains("<title>") && svg.contains("<desc>") && !svg.contains("var("), "{svg}");
        let rows = crate::export::parsed(&read("csv"));
        assert!(!rows.is_empty() && rows[0].len() > 1, "{name}");
    }
    // The points of a fit, with all their digits: what the store holds.
    let fit = names.iter().find(|name| name.starts_with("score-against-fake-loss")).unwrap();
    let rows = crate::export::parsed(&fs::read_to_string(bench.path(&format!("deep/figures/{fit}.csv"))).unwrap());
    let board = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    let points = board.iter().find(|row| row["metric"] == "fake/loss").unwrap()["details"]["points"].as_array().unwrap().clone();
    assert_eq!(rows.len(), points.len());
    for (row, point) in rows.iter().zip(points) {
        assert_eq!(row["run"], point["label"].as_str().unwrap());
        assert_eq!(row["metric"].parse::<f64>().unwrap(), point["metric"].as_f64().unwrap());
        assert_eq!(row["value"].parse::<f64>().unwrap(), point["score"].as_f64().unwrap());
    }
    // The page alone on standard output; a folder that cannot be made is named.
    let page_again = bench.clmbench(&["report", "--out", "-", "--figures", "deep/figures"]).code(0).stdout;
    assert_eq!(page_again, page);
    let wrong = bench.clmbench(&["report", "--out", "page.html", "--figures", "suite.toml"]).code(4);
    assert!(wrong.stderr.contains("suite.toml"), "{}", wrong.stderr);
}
