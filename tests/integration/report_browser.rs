//! The page in a browser: tables sort by number and filter, figures have marks and words and can be saved, nothing sticks out.

use std::fs;

use serde_json::Value;

use crate::{
    bench::{Bench, SUITE},
    browser,
};

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The table whose caption starts with these words.
#[track_caller]
fn table<'a>(seen: &'a Value, caption: &str) -> &'a Value {
    let tables = seen["tables"].as_array().unwrap();
    let found = tables.iter().find(|table| table["caption"].as_str().unwrap().starts_with(caption));
    found.unwrap_or_else(|| panic!("no table `{caption}`"))
}

/// Names in the order of their numbers, smallest first; those without one last; equals as they come.
fn sorted(rows: &[(String, Option<f64>)], descending: bool) -> Vec<&str> {
    let mut rows: Vec<&(String, Option<f64>)> = rows.iter().collect();
    rows.sort_by(|left, right| match (left.1, right.1) {
        (Some(left), Some(right)) if descending => right.total_cmp(&left),
        (Some(left), Some(right)) => left.total_cmp(&right),
        (left, right) => left.is_none().cmp(&right.is_none()),
    });
    rows.into_iter().map(|(name, _)| name.as_str()).collect()
}

/// WCAG 2: contrast of two colours as a browser writes them.
fn contrast(colours: &Value) -> f64 {
    let luminance = |colour: &str| {
        let parts = colour.trim_start_matches("rgb(").trim_end_matches(')').split(", ");
        let parts: Vec<f64> = parts.map(|part| part.parse::<f64>().unwrap() / 255.0).collect();
        let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(parts[0]) + 0.7152 * linear(parts[1]) + 0.0722 * linear(parts[2])
    };
    let (one, other) = (luminance(colours[0].as_str().unwrap()), luminance(colours[1].as_str().unwrap()));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser::found() else { return };
    // What would be wrong is seen: an error of a script is in the console.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.html");
    fs::write(&wrong, "<!DOCTYPE html><script>noSuchFunction();</script>").unwrap();
    assert!(browser.dump(&wrong, &[]).1.contains("noSuchFunction"), "errors of the console are seen");

    let bench = Bench::new(SUITE);
    bench.run();
    bench.clmbench(&["report", "--out", "page.html", "--figures", "figures"]).code(0);
    let page = fs::read_to_string(bench.path("page.html")).unwrap();
    let board = bench.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    for (width, dark) in [(400, false), (1400, true)] {
        let (seen, console) = browser.see(&page, width, dark);
        assert_eq!(console, Vec::<String>::new());
        assert_eq!((&seen["faults"], &seen["violations"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        // The whole page is as wide as its window, the text stands out, and what has the focus shows it.
        assert_eq!((seen["width"][0].as_u64(), seen["width"][1].as_u64()), (Some(u64::from(width)), Some(u64::from(width))));
        assert_eq!(seen["dark"], dark);
        assert!(contrast(&seen["colours"]) > 7.0, "{}", seen["colours"]);
        assert_eq!(seen["outline"], "solid");

        // Sorted by the number behind the text, and not by the text.
        let found = table(&seen, "Predictors of alpha affinity (rmse) under probe");
        let name = |row: &Value| format!("{}{}", row["metric"].as_str().unwrap(), if row["trivial"] == true { " *" } else { "" });
        for (column, field) in [("r", "spearman"), ("p raw", "p_raw"), ("cost", "cost_seconds")] {
            let rows: Vec<(String, Option<f64>)> = board.iter().map(|row| (name(row), row[field].as_f64())).collect();
            assert_eq!(rows.len() as u64, found["rows"].as_u64().unwrap());
            let orders = &found["columns"][column];
            assert_eq!(texts(&orders["ascending"]["names"]), sorted(&rows, false), "{column}");
            assert_eq!(texts(&orders["descending"]["names"]), sorted(&rows, true), "{column}");
        }
        let of_runs = &table(&seen, "Pretraining runs")["columns"]["parameters"]["ascending"]["texts"];
        let number = |text: &str| match text.strip_suffix('M') {
            Some(text) => text.parse::<f64>().unwrap() * 1e6,
            None => text.trim_end_matches('k').parse::<f64>().unwrap() * 1e3,
        };
        assert!(texts(of_runs).is_sorted_by_key(|text| number(text)), "{of_runs}");

        // Filters show what they should and say so; long tables come in parts.
        let filters: Vec<&Value> =
            seen["tables"].as_array().unwrap().iter().map(|table| &table["filter"]).filter(|filter| !filter.is_null()).collect();
        assert!(filters.len() > 1, "{seen}");
        for filter in filters {
            let (shown, matching) = (filter["shown"].as_u64().unwrap(), filter["matching"].as_u64().unwrap());
            let said = filter["said"].as_str().unwrap();
            assert!(matching > 0 && shown == matching.min(100) && filter["live"] == "polite", "{filter}");
            assert!(said.contains(&format!("{matching} rows")), "{filter}");
        }
        let cells = table(&seen, "Cells of the plan");
        let rows = cells["rows"].as_u64().unwrap();
        assert!(rows > 100, "{rows}");
        assert_eq!((cells["page"].as_u64(), cells["next"].as_u64()), (Some(100), Some(rows.min(1_100))));

        // Every figure has marks, a name, words and numbers; what is saved from the page is what the program writes.
        let figures = seen["figures"].as_array().unwrap();
        assert_eq!(figures.len(), page.matches("<figure id=\"").count());
        assert_eq!(seen["files"].as_object().unwrap().len(), 2 * figures.len());
        for figure in figures {
            assert!(figure["marks"].as_u64() > Some(0) && figure["rows"].as_u64() > Some(0), "{figure}");
            assert!(figure["inside"] == true && !figure["name"].as_str().unwrap().is_empty(), "{figure}");
            assert!(figure["words"].as_str().unwrap().len() > 10, "{figure}");
            let id = figure["id"].as_str().unwrap();
            let written = |ending: &str| fs::read_to_string(bench.path(&format!("figures/{id}.{ending}"))).unwrap();
            assert_eq!(seen["files"][&format!("{id}.csv")], written("csv"), "{id}");
            let svg = seen["files"][&format!("{id}.svg")].as_str().unwrap();
            let marks = |text: &str| ["<circle", "<line", "<path", "<rect", "<text"].map(|mark| text.matches(mark).count());
            assert!(svg.starts_with("<svg ") && !svg.contains("var("), "{svg}");
            assert_eq!(marks(svg), marks(&written("svg")), "{id}");
        }
    }
}
