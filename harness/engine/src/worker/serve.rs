//! The conversation: requests in, events out; one failed cell does not end it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use clmbench_protocol::{Event, Failure, FailureKind, PROTOCOL_VERSION, Request, RunRequest};
use clmbench_sdk::{LIBTORCH_VERSION, error::panic_text};

use super::channel::{Channel, Sender, log_to};
use crate::{cells, device::Devices, loader::Plugins, report::Reporter};

/// Serves until the host says quit or closes its end.
///
/// # Errors
/// When the host is gone in the middle of a line.
pub fn serve(channel: &mut Channel, build: &str) -> io::Result<()> {
    let sender = channel.sender();
    sender.send(&Event::Hello {
        protocol: PROTOCOL_VERSION,
        build: build.into(),
        libtorch: LIBTORCH_VERSION.into(),
        devices: Devices::find().names(),
    })?;
    let mut plugins = Plugins::default();
    while let Some(line) = channel.next_line()? {
        match serde_json::from_str::<Request>(&line) {
            Ok(Request::Quit) => break,
            Ok(Request::Run(request)) => sender.send(&answer(&request, &mut plugins, &sender, build))?,
            Err(error) => {
                let text = format!("the worker cannot read the request: {error}; use host and worker of one build");
                sender.send(&Event::Failed(Failure::new(FailureKind::Protocol, text)))?;
            }
        }
    }
    Ok(())
}

fn answer(request: &RunRequest, plugins: &mut Plugins, sender: &Sender, build: &str) -> Event {
    if let Err(error) = log_to(Path::new(&request.log)) {
        return Event::Failed(Failure::new(FailureKind::Io, format!("the log {} cannot be opened: {error}", request.log)));
    }
    let host = sender.clone();
    let reporter = Reporter::new(move |progress| {
        let (done, total) = (progress.done, progress.total);
        let event = Event::Progress { stage: progress.stage, done, total, unit: progress.unit.into(), note: progress.note };
        // Progress that nobody reads is no reason to stop; a host that is gone ends the worker by other ways.
        let _ = host.send(&event);
    });
    match catch_unwind(AssertUnwindSafe(|| cells::run(request, plugins, &reporter, build))) {
        Ok(Ok(report)) => Event::Done(Box::new(report)),
        Ok(Err(failure)) => Event::Failed(failure),
        Err(payload) => {
            Event::Failed(Failure::new(FailureKind::Panic, format!("the engine panicked: {}", panic_text(&*payload))))
        }
    }
}
