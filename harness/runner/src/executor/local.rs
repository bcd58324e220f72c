//! Long-lived workers on this machine, one thread of ours for each.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{
    Executor, ExecutorError, Job, Update,
    worker::{NotReady, Outcome, Worker},
};

/// Workers that may fail to get ready one after the other before the executor gives up.
const TRIES: u32 = 3;

/// How a [`LocalExecutor`] keeps its workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalOptions {
    /// The executable `clmbench-worker`.
    pub worker: PathBuf,
    /// Workers at once; at least 1.
    pub workers: usize,
    /// A fresh worker for each cell.
    pub isolate: bool,
    /// Folder of the workers' own logs (`worker-<n>.log`); a cell's log is named by its request.
    pub logs: PathBuf,
    /// Told to each worker as its memory budget, in bytes.
    pub memory_bytes: Option<u64>,
    /// A worker that has not greeted by then is given up.
    pub ready_within: Duration,
}

impl LocalOptions {
    /// One worker, kept between cells, no memory limit, a minute to get ready.
    pub fn new(worker: impl Into<PathBuf>, logs: impl Into<PathBuf>) -> Self {
        Self {
            worker: worker.into(),
            workers: 1,
            isolate: false,
            logs: logs.into(),
            memory_bytes: None,
            ready_within: Duration::from_secs(60),
        }
    }

    /// As many workers as the machine has cores. [`crate::RunOptions::threads`] keeps cells of several threads from
    /// taking more cores than there are.
    pub fn cores() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

/// The executable `clmbench-worker`: `CLMBENCH_WORKER`, else beside this executable.
pub fn worker_path() -> PathBuf {
    let name = "clmbench-worker";
    match std::env::var_os("CLMBENCH_WORKER").filter(|value| !value.is_empty()) {
        Some(path) => path.into(),
        None => std::env::current_exe()
            .ok()
            .and_then(|executable| executable.parent().map(|folder| folder.join(name)))
            .unwrap_or_else(|| name.into()),
    }
}

/// Workers on this machine. Dropping it stops all of them.
pub struct LocalExecutor {
    slots: usize,
    jobs: Option<Sender<Job>>,
    updates: Receiver<Update>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl LocalExecutor {
    /// Workers are started when the first cells come.
    pub fn new(options: LocalOptions) -> Self {
        let slots = options.workers.max(1);
        let (jobs, queue) = mpsc::channel();
        let (sender, updates) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..slots)
            .map(|number| {
                let seat = Seat {
                    log: options.logs.join(format!("worker-{number}.log")),
                    options: options.clone(),
                    queue: Arc::clone(&queue),
                    updates: sender.clone(),
                    stop: Arc::clone(&stop),
                };
                // The thread lives as long as the executor: a worker dies with the thread that started it.
                std::thread::spawn(move || seat.serve())
            })
            .collect();
        Self { slots, jobs: Some(jobs), updates, stop, threads }
    }
}

impl Executor for LocalExecutor {
    fn slots(&self) -> usize {
        self.slots
    }

    fn submit(&mut self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The threads hold the other end until the sender is dropped.
            let _ = jobs.send(job);
        }
    }

    fn next(&mut self, wait: Duration) -> Option<Update> {
        self.updates.recv_timeout(wait).ok()
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.jobs = None;
        self.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has dropped, and so killed, its worker.
            let _ = thread.join();
        }
    }
}

/// One thread with at most one worker.
struct Seat {
    options: LocalOptions,
    log: PathBuf,
    queue: Arc<Mutex<Receiver<Job>>>,
    updates: Sender<Update>,
    stop: Arc<AtomicBool>,
}

impl Seat {
    fn serve(self) {
        let mut worker: Option<Worker> = None;
        while let Some(job) = self.next_job() {
            let update = caught(job.ticket, || self.compute(&mut worker, &job));
            // Nobody listens once the executor is being dropped.
            let _ = self.updates.send(update);
        }
        if let Some(worker) = worker {
            worker.quit();
        }
    }

    fn next_job(&self) -> Option<Job> {
        // A poisoned lock only means that another seat panicked while waiting; the queue is whole.
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        queue.recv().ok()
    }

    fn compute(&self, kept: &mut Option<Worker>, job: &Job) -> Update {
        // One that died while it was idle must not cost the next cell.
        let mut worker = match kept.take().filter(Worker::is_alive).map_or_else(|| self.start(), Ok) {
            Ok(worker) => worker,
            Err(NotReady::Stopped) => return Update::Stopped { ticket: job.ticket },
            Err(NotReady::Always(error)) => return Update::Broken { ticket: job.ticket, error },
            Err(NotReady::Perhaps(reason)) => {
                let (worker, log) = (self.options.worker.clone(), self.log.clone());
                return Update::Broken { ticket: job.ticket, error: ExecutorError::NotReady { worker, reason, log } };
            }
        };
        match worker.compute(job, &self.updates, &self.stop) {
            Outcome::Stopped => Update::Stopped { ticket: job.ticket },
            Outcome::Lost(failure) => {
                drop(worker);
                Update::Ended { ticket: job.ticket, outcome: Err(failure) }
            }
            Outcome::Ended(outcome) => {
                // After a failure whatever the cell left behind in the process goes with it.
                if outcome.is_err() || self.options.isolate || worker.has_grown() {
                    worker.quit();
                } else {
                    *kept = Some(worker);
                }
                Update::Ended { ticket: job.ticket, outcome }
            }
        }
    }

    fn start(&self) -> Result<Worker, NotReady> {
        let mut tries = 0;
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return Err(NotReady::Stopped);
            }
            tries += 1;
            let options = &self.options;
            match Worker::start(&options.worker, &self.log, options.memory_bytes, options.ready_within, &self.stop) {
                Err(NotReady::Perhaps(_)) if tries < TRIES => {}
                result => return result,
            }
        }
    }
}

/// What a computation says, also when it panics: a job without an answer would be waited for without end. (A worker that
/// is in use when the panic unwinds is dropped, and so killed.)
fn caught(ticket: u64, compute: impl FnOnce() -> Update) -> Update {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let reason = words.unwrap_or("no message").to_owned();
        Update::Broken { ticket, error: ExecutorError::Panicked { reason } }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(caught(1, || Update::Stopped { ticket: 1 }), Update::Stopped { ticket: 1 });
        let error = ExecutorError::Panicked { reason: "no 7".into() };
        assert_eq!(caught(2, || panic!("no {}", 7)), Update::Broken { ticket: 2, error });
    }
}
