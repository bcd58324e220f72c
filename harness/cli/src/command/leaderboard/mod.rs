//! `leaderboard predictors` and `leaderboard models`.

mod changes;
mod listing;
mod previous;

use std::collections::BTreeSet;

use clmbench_analysis::{Compared, ModelRow, Order, PredictorRow, Standings, standings};
use clmbench_store::{Store, SuiteRow};
use serde_json::{Map, Value};

use self::listing::{Listing, as_it_is};
use super::export::{FITS, MODELS, POOLED, STANDINGS};
use crate::{
    arguments::{BoardArguments, Global},
    console::Console,
    error::CliError,
};

pub use previous::{before, keep as keep_previous};

/// Metrics by how well they predict transfer, from the stored fits.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`]; [`CliError::Usage`] when nothing is of the dataset and
/// protocol asked for, or there is no such column.
pub fn predictors(choice: &BoardArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let mut board = clmbench_analysis::predictors(&store, suite.id)?;
    // An order of the whole board, unlike a column that its rows are sorted by.
    let order = choice.sort.as_deref().and_then(order);
    let choice = &BoardArguments { sort: choice.sort.clone().filter(|_| order.is_none()), ..choice.clone() };
    if let Some(order) = order {
        board.order_by(order);
    }
    if choice.overall {
        over_all_tasks(choice)?;
        keep(&mut board.pooled, |row| Named::new("all tasks", "", &row.protocol, &row.pool), choice, &suite.name)?;
        if board.pooled.is_empty() {
            console.note("no statistics over all tasks are stored: `clmbench run SUITE` fits anew");
        }
        let mut listing = Listing::new("leaderboard-pooled/2", &POOLED, objects(&board.pooled)?);
        let pools: BTreeSet<&str> = board.pooled.iter().map(|row| row.pool.as_str()).collect();
        listing.orders = ORDERS.map(|(name, _)| name).to_vec();
        listing.usual = if pools.len() > 1 { &POOLED_USUAL } else { &POOLED_USUAL[1..] };
        listing.arrange(choice, |_| String::new())?;
        if listing.is_plain(choice) && !board.pooled.is_empty() {
            return console.print(&clmbench_report::pooled_table(&board, console.style));
        }
        return listing.print(choice, &suite.name, console);
    }
    if as_it_is(choice) && !choice.csv && !choice.md {
        keep(&mut board.rows, named_fit, choice, &suite.name)?;
        if choice.json.json {
            return console.whole_json(&board);
        }
        if board.rows.is_empty() {
            console.note("there are no fits yet: `clmbench run SUITE` makes them once its cells are done");
            return Ok(());
        }
        return console.print(&clmbench_report::predictor_page(&board, choice.all, console.style));
    }
    let mut rows = objects(&board.rows)?;
    if choice.only_changed {
        let earlier = match &choice.since {
            Some(file) => changes::read(file, "leaderboard-predictors", &suite.name, console)?,
            None => previous::read(&store, &suite, console)?,
        };
        changes::mark(&mut rows, &earlier, &changes::PREDICTORS, |row| of_object(row, "pool").is_chosen(choice), console);
    }
    let chosen = kept(&mut rows, &mut board.rows, named_fit, choice, &suite)?;
    let mut listing = Listing::new("leaderboard-predictors/1", &FITS, chosen);
    listing.orders = ORDERS.map(|(name, _)| name).to_vec();
    listing.usual = &PREDICTORS_USUAL;
    listing.changes = choice.only_changed;
    listing.arrange(choice, |_| String::new())?;
    if board.rows.is_empty() && listing.is_table(choice) && !choice.only_changed {
        console.note("there are no fits yet: `clmbench run SUITE` makes them once its cells are done");
        return Ok(());
    }
    listing.print(choice, &suite.name, console)
}

/// Runs, controls, baselines and the mean predictor by their scores.
///
/// # Errors
/// [`CliError::Store`], [`CliError::Analysis`], [`CliError::Output`]; [`CliError::Usage`] when nothing is of the dataset and
/// protocol asked for, or there is no such column.
pub fn models(choice: &BoardArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let suite = store.suite(choice.suite.as_deref())?;
    let compared = Compared { dataset: choice.dataset.clone(), task: choice.task.clone(), protocol: choice.protocol.clone() };
    let mut board = clmbench_analysis::compared_models(&store, suite.id, &compared)?;
    // The board itself; rows as objects, of which there may be very many, only where they are asked for.
    if as_it_is(choice) && !choice.csv && !choice.md {
        keep(&mut board.rows, named_model, choice, &suite.name)?;
        if !choice.json.json {
            if board.rows.is_empty() {
                console.note("there are no scores yet: `clmbench run SUITE` computes them");
                return Ok(());
            }
            return console.print(&match choice.overall {
                true => clmbench_report::standing_table(&board, choice.all, console.style),
                false => clmbench_report::model_page(&board, choice.all, console.style),
            });
        }
        if !choice.overall {
            return console.whole_json(&board);
        }
    }
    let mut rows = objects(&board.rows)?;
    if choice.only_changed {
        let Some(file) = &choice.since else {
            return Err(CliError::Usage {
                message: "--only-changed of models needs a board to compare with".to_owned(),
                hint: "keep one with `clmbench leaderboard models --json > FILE`, and name it later by --since FILE".to_owned(),
            });
        };
        let earlier = changes::read(file, "leaderboard-models", &suite.name, console)?;
        changes::mark(&mut rows, &earlier, &changes::MODELS, |row| of_object(row, "split_digest").is_chosen(choice), console);
    }
    let chosen = kept(&mut rows, &mut board.rows, named_model, choice, &suite)?;
    let (mut listing, within): (Listing, fn(&Value) -> String) = if choice.overall {
        let mut listing =
            Listing::new("leaderboard-standings/1", &STANDINGS, standing_rows(&standings(&board.rows, choice.all))?);
        listing.usual = &STANDINGS_USUAL;
        (listing, |row| text(row, "protocol"))
    } else {
        let mut listing = Listing::new("leaderboard-models/2", &MODELS, chosen);
        listing.usual = &MODELS_USUAL;
        listing.changes = choice.only_changed;
        (listing, |row| ["dataset", "task", "protocol", "score", "split_digest"].map(|key| text(row, key)).join("\n"))
    };
    listing.arrange(choice, within)?;
    if board.rows.is_empty() && listing.is_table(choice) && !choice.only_changed {
        console.note("there are no scores yet: `clmbench run SUITE` computes them");
        return Ok(());
    }
    listing.print(choice, &suite.name, console)
}

/// Orders of the board of predictors over all tasks, as `--sort` names them.
const ORDERS: [(&str, Order); 2] = [("gain", Order::Gain), ("r", Order::R)];

fn order(sort: &str) -> Option<Order> {
    ORDERS.iter().find(|(name, _)| *name == sort).map(|(_, order)| *order)
}

/// Columns of a Markdown table, and of a sorted one, that does not name its own: each number with its uncertainty.
const PREDICTORS_USUAL: [&str; 14] = [
    "rank",
    "metric",
    "dataset",
    "task",
    "protocol",
    "n",
    "spearman",
    "spearman_low",
    "spearman_high",
    "p_value",
    "gain",
    "gain_low",
    "gain_high",
    "verdict",
];
/// The pool alone is not always said.
const POOLED_USUAL: [&str; 18] = [
    "pool",
    "rank",
    "metric",
    "protocol",
    "n",
    "n_tasks",
    "gain",
    "gain_low",
    "gain_high",
    "gain_verdict",
    "gain_mean_rank",
    "gain_mean_rank_low90",
    "gain_mean_rank_high90",
    "spearman",
    "spearman_low",
    "spearman_high",
    "p_value",
    "verdict",
];
const MODELS_USUAL: [&str; 9] = ["rank", "tied_with_best", "label", "dataset", "task", "protocol", "score", "value", "std_error"];
const STANDINGS_USUAL: [&str; 10] = [
    "rank",
    "label",
    "protocol",
    "pretraining_seeds",
    "tasks",
    "tasks_of",
    "mean_rank",
    "mean_rank_low90",
    "mean_rank_high90",
    "borda",
];

/// Rows over all tasks are of no dataset.
fn over_all_tasks(choice: &BoardArguments) -> Result<(), CliError> {
    match (&choice.dataset, &choice.task) {
        (None, None) => Ok(()),
        _ => Err(CliError::Usage {
            message: "--overall is over all tasks, and --dataset and --task name one".to_owned(),
            hint: "leave one of them out".to_owned(),
        }),
    }
}

/// Rows as JSON objects, as `--json` prints them.
fn objects<R: serde::Serialize>(rows: &[R]) -> Result<Vec<Value>, CliError> {
    let rows = rows.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>();
    rows.map_err(|error| CliError::Output(error.into()))
}

/// Standings with their places by task.
fn standing_rows(blocks: &[Standings]) -> Result<Vec<Value>, CliError> {
    let mut rows = Vec::new();
    for block in blocks {
        for mut row in objects(&block.rows)? {
            let named = block.tasks.iter().map(|task| format!("{}/{} {}", task.dataset, task.task, task.score));
            if let Some(Value::Array(places)) = row.get_mut("places").map(Value::take) {
                row["places"] = Value::Object(named.zip(places).collect::<Map<String, Value>>());
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

fn text(row: &Value, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What a row can be chosen by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    dataset: String,
    task: String,
    protocol: String,
    pool: String,
}

impl Named {
    fn new(dataset: &str, task: &str, protocol: &str, pool: &str) -> Self {
        let [dataset, task, protocol, pool] = [dataset, task, protocol, pool].map(str::to_owned);
        Self { dataset, task, protocol, pool }
    }

    fn is_chosen(&self, choice: &BoardArguments) -> bool {
        let asked = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        asked(&choice.dataset, &self.dataset)
            && asked(&choice.task, &self.task)
            && asked(&choice.protocol, &self.protocol)
            && choice.pool.as_ref().is_none_or(|part| self.pool.contains(part.as_str()))
    }
}

/// Of a row as a JSON object; `pool` names the column that stands for its pool.
fn of_object(row: &Value, pool: &str) -> Named {
    Named::new(&text(row, "dataset"), &text(row, "task"), &text(row, "protocol"), &text(row, pool))
}

fn named_fit(row: &PredictorRow) -> Named {
    Named::new(&row.fit.dataset, &row.fit.task, &row.fit.protocol, &row.fit.pool)
}

fn named_model(row: &ModelRow) -> Named {
    Named::new(&row.dataset, &row.task, &row.protocol, &row.split_digest)
}

/// Keeps the rows that were asked for, and of changed ones those that are marked; the same of their objects, which are returned.
fn kept<R>(
    objects: &mut Vec<Value>,
    rows: &mut Vec<R>,
    of: impl Fn(&R) -> Named,
    choice: &BoardArguments,
    suite: &SuiteRow,
) -> Result<Vec<Value>, CliError> {
    let wanted: Vec<bool> = rows
        .iter()
        .zip(objects.iter())
        .map(|(row, object)| of(row).is_chosen(choice) && (!choice.only_changed || object.get("changed").is_some()))
        .collect();
    if !choice.only_changed || !rows.iter().any(|row| of(row).is_chosen(choice)) {
        keep(rows, of, choice, &suite.name)?;
    } else {
        let mut wanted = wanted.iter();
        rows.retain(|_| wanted.next().is_some_and(|wanted| *wanted));
    }
    Ok(std::mem::take(objects).into_iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(object, _)| object).collect())
}

/// Keeps the rows that were asked for. Nothing is computed anew: a p-value stays that of all fits.
fn keep<R>(rows: &mut Vec<R>, of: impl Fn(&R) -> Named, choice: &BoardArguments, suite: &str) -> Result<(), CliError> {
    let known: BTreeSet<Named> = rows.iter().map(&of).collect();
    rows.retain(|row| of(row).is_chosen(choice));
    if !rows.is_empty() || known.is_empty() {
        return Ok(());
    }
    if choice.task.is_none() && choice.pool.is_none() {
        let known: BTreeSet<String> = known.into_iter().map(|row| format!("{} ({})", row.dataset, row.protocol)).collect();
        return Err(CliError::Usage {
            message: format!("suite {suite} has no rows of that dataset and protocol"),
            hint: format!("it has those of {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        });
    }
    const MOST: usize = 12;
    let names: BTreeSet<String> =
        known.into_iter().map(|row| format!("{} {} ({}; {})", row.dataset, row.task, row.protocol, row.pool)).collect();
    let more = if names.len() > MOST { format!("; and {} more", names.len() - MOST) } else { String::new() };
    Err(CliError::Usage {
        message: format!("suite {suite} has no rows of that dataset, task, protocol and pool"),
        hint: format!("it has those of {}{more}", names.into_iter().take(MOST).collect::<Vec<_>>().join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let all = || vec![("bace", "probe", "p1"), ("bace", "finetune", "p1"), ("lipo", "probe", "p2")];
        let of = |row: &(&str, &str, &str)| Named::new(row.0, "y", row.1, row.2);
        let choice = |dataset: Option<&str>, protocol: Option<&str>, pool: Option<&str>| BoardArguments {
            dataset: dataset.map(str::to_owned),
            protocol: protocol.map(str::to_owned),
            pool: pool.map(str::to_owned),
            ..BoardArguments::default()
        };
        let kept = |dataset, protocol, pool| {
            let mut rows = all();
            keep(&mut rows, of, &choice(dataset, protocol, pool), "demo").map(|()| rows)
        };
        assert!(kept(None, None, None).is_ok_and(|rows| rows == all()));
        assert!(kept(Some("bace"), None, None).is_ok_and(|rows| rows == all()[..2]));
        assert!(kept(Some("lipo"), Some("probe"), None).is_ok_and(|rows| rows == all()[2..]));
        assert!(kept(None, None, Some("2")).is_ok_and(|rows| rows == all()[2..]));
        let error = kept(Some("lipo"), Some("finetune"), None);
        assert!(
            matches!(error, Err(CliError::Usage { hint, .. }) if hint.contains("bace (finetune), bace (probe), lipo (probe)"))
        );
        let error = kept(None, None, Some("p3"));
        assert!(matches!(error, Err(CliError::Usage { hint, .. }) if hint.contains("lipo y (probe; p2)")));
    }
}
