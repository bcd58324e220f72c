//! The command `clmbench`: arguments, wiring, exit statuses. Computes nothing itself and never links libtorch.

mod arguments;
mod command;
mod console;
mod edge_sources;
mod error;
mod interrupt;
mod output;
mod places;
mod plugins;
mod progress;
mod rows;
mod units;
mod worker;

use std::{
    io::{self, Write},
    panic,
    process::ExitCode,
    sync::Mutex,
};

use clap::Parser;

use crate::{
    arguments::Arguments,
    console::Console,
    error::{CliError, Exit},
};

/// Where the first panic was.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        if let (Ok(mut place), Some(location)) = (PLACE.lock(), info.location()) {
            place.get_or_insert_with(|| format!("{}:{}", location.file(), location.line()));
        }
    }));
    match panic::catch_unwind(|| {
        let arguments = Arguments::try_parse().unwrap_or_else(|error| arguments::with_tip(error).exit());
        clmbench_protocol::fault::reach_panic();
        command::run(&arguments, Console::new(arguments.global.quiet))
    }) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => report(&error),
        Err(payload) => fault(payload.as_ref()),
    }
}

/// Says what went wrong and what to do, and gives the exit status.
fn report(error: &CliError) -> ExitCode {
    if let CliError::Output(cause) = error
        && cause.kind() == io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS; // the reader (`head`, a pager) has seen enough
    }
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "error: {}", console::plain(&error.to_string()));
    if let Some(hint) = error.hint() {
        let _ = writeln!(err, "  hint: {}", console::plain(&hint));
    }
    ExitCode::from(error.exit() as u8)
}

/// A panic is a fault of clmbench: one line, never a backtrace.
fn fault(payload: &(dyn std::any::Any + Send)) -> ExitCode {
    let words = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let words = console::one_line(words.unwrap_or("a panic without words"), 300);
    let place = PLACE.lock().ok().and_then(|place| place.clone()).unwrap_or_default();
    let _ = writeln!(
        io::stderr().lock(),
        "error: a fault in clmbench {}: {words} ({place})\n  hint: the store is kept; please report this line and the command that led to it",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::from(Exit::Fault as u8)
}
