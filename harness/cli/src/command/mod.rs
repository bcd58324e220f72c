//! The commands, one file each.

mod baseline;
mod data;
mod db;
mod device;
mod doctor;
mod export;
mod gate;
mod gc;
mod hub_models;
mod leaderboard;
mod left_out;
mod licences;
mod lone;
mod metric;
mod metric_costs;
mod model;
mod plan;
mod plugin;
mod report;
mod run;
mod running;
mod show;
mod status;
mod summary;

use clap::CommandFactory;

use crate::{
    arguments::{Arguments, Command, Leaderboard},
    console::{self, Console},
    error::CliError,
};

pub use export::help as export_help;

/// Runs the command that was asked for.
///
/// # Errors
/// Whatever the command says; `main` turns it into words and an exit status.
pub fn run(arguments: &Arguments, console: Console) -> Result<(), CliError> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Doctor(of) => doctor::run(global, of.json, console),
        Command::Plan(of) => plan::run(of, global, console),
        Command::Run(of) => run::run(of, global, console),
        Command::Status(of) => status::run(of, global, console),
        Command::Leaderboard(Leaderboard::Predictors(of)) => leaderboard::predictors(of, global, console),
        Command::Leaderboard(Leaderboard::Models(of)) => leaderboard::models(of, global, console),
        Command::Data(of) => data::run(of, global, console),
        Command::Metric(of) => metric::run(of, global, console),
        Command::Model(of) => model::run(of, global, console),
        Command::Baseline(of) => baseline::run(of, global, console),
        Command::Gate(of) => gate::run(of, global, console),
        Command::Export(of) => export::run(of, global, console),
        Command::Report(of) => report::run(of, global, console),
        Command::Show(of) => show::run(of, global, console),
        Command::Gc(of) => gc::run(of, global, console),
        Command::Db(of) => db::run(of, global, console),
        Command::Plugin(of) => plugin::run(of, global, console),
        Command::Completions { shell } => completions(*shell, console),
    }
}

fn completions(shell: clap_complete::Shell, console: Console) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "clmbench", &mut script);
    console.print(&String::from_utf8_lossy(&script))
}

/// `word      text`, the text in lines of at most `width` columns below each other; without a word the text alone. Foreign text is made
/// harmless.
fn wrapped(word: &str, text: &str, width: usize) -> String {
    const INDENT: usize = 10;
    let indent = if word.is_empty() { 0 } else { INDENT };
    let mut lines: Vec<String> = Vec::new();
    let mut line = if word.is_empty() { String::new() } else { format!("{word:<INDENT$}") };
    let mut empty = true;
    for piece in console::plain(text).split_whitespace() {
        if !empty && line.chars().count() + 1 + piece.chars().count() > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(piece);
        empty = false;
    }
    lines.push(line);
    lines.join("\n")
}
