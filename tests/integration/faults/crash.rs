//! SIGKILL at many random moments: of `clmbench run`, of a worker, and of both at once. The run that goes on ends with the
//! rows of one that was never disturbed, the database is whole, and nothing is left behind.
//!
//! A few kills here; `cargo xtask verify crash` sets the variables of [`crate::verify`] for 1,000.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use clmbench_store::{CellStatus, Store};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    bench::{Answer, Bench, Cells, SUITE, finish, wait_until},
    verify,
};

/// Knuth's MMIX generator. The sequence is fixed; where a kill hits varies with the machine.
struct Dice(u64);

impl Dice {
    /// A number below `most`.
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Parent,
    Worker,
    Both,
}

const VICTIMS: [Victim; 3] = [Victim::Parent, Victim::Worker, Victim::Both];

/// How far the suite was when a kill landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No cell was finished.
    Start,
    /// Some were.
    Middle,
    /// All were: fits and leaderboard.
    End,
}

const PHASES: [Phase; 3] = [Phase::Start, Phase::Middle, Phase::End];

/// Kills a process; whether it was there and alive.
fn kill(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let alive = state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']));
    // `kill` of the shell is its own command: no other process in between.
    alive && Command::new("sh").args(["-c", &format!("kill -KILL {process} 2>/dev/null")]).status().unwrap().success()
}

/// Workers of this process that serve (not those that describe a plugin).
fn workers(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).map(|tasks| tasks.filter_map(Result::ok).collect::<Vec<_>>());
    let children = tasks.unwrap_or_default().into_iter().flat_map(|task| {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    });
    let serves = |process: &u32| {
        let words = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        words.split('\0').next().is_some_and(|program| program.ends_with("/fake-worker")) && !words.contains("--describe")
    };
    children.filter(serves).collect()
}

/// Processes that have this test's folder in their environment.
fn processes_of(bench: &Bench) -> Vec<String> {
    let own = bench.path("count").into_os_string().into_encoded_bytes();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let of_ours = processes.filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment.windows(own.len()).any(|window| window == own)
    });
    of_ours.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// One suite from an empty store to its end.
struct Campaign {
    bench: Bench,
    before: Cells,
    /// Every cell is done; it is run once more, to be killed at the fits.
    finished: bool,
}

impl Campaign {
    fn new() -> Self {
        let bench = Bench::new(SUITE);
        fs::create_dir(bench.path("tmp")).unwrap();
        Self { bench, before: Cells::new(), finished: false }
    }

    fn start(&self, dice: &mut Dice) -> Child {
        let workers = (1 + dice.below(3)).to_string();
        let mut command = self.bench.command(&["run", "suite.toml", "--workers", &workers]);
        command.env("TMPDIR", self.bench.path("tmp")).process_group(0);
        command.env("FAKE_WORKER_DELAY_MS", [0, 2, 5, 20][dice.below(4) as usize].to_string());
        command.spawn().unwrap()
    }

    /// What was finished before still is, with the same results.
    #[track_caller]
    fn look(&mut self) -> Phase {
        let cells = self.bench.cells();
        let done: Cells =
            cells.iter().filter(|(_, cell)| cell.0 == CellStatus::Done).map(|(k, v)| (k.clone(), v.clone())).collect();
        for (key, cell) in &self.before {
            assert_eq!(done.get(key), Some(cell), "{key}");
        }
        let phase = match done.len() {
            0 => Phase::Start,
            count if count == cells.len() => Phase::End,
            _ => Phase::Middle,
        };
        self.before = done;
        phase
    }

    /// The end is that of an undisturbed run, and nothing but the result is left.
    #[track_caller]
    fn check_end(&self, cells: &Cells, board: &[Value]) {
        let bench = &self.bench;
        assert_eq!(&bench.cells(), cells);
        assert_eq!(bench.board(), board);
        bench.check_artifacts();
        wait_until("no process is left", || processes_of(bench).is_empty());
        let database = Connection::open(bench.store().join("store.sqlite")).unwrap();
        let answer: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(answer, "ok");
        let loose: i64 = database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(loose, 0, "rows that refer to nothing");
        database.close().unwrap();
        assert_eq!(Store::open_writer(&bench.store()).unwrap().recovered(), 0, "no cell is left running");
        let store = bench.store();
        let known = ["artifacts", "lease", "logs", "store.sqlite", "work"].map(str::to_owned);
        assert_eq!(names(&store), BTreeSet::from(known));
        assert_eq!(fs::read_to_string(store.join("lease")).unwrap(), "");
        assert_eq!(names(&store.join("work")), BTreeSet::new(), "no folder of an unfinished cell");
        let identities: BTreeSet<String> = cells.values().filter_map(|cell| cell.1.clone()).collect();
        assert_eq!(names(&store.join("artifacts")), identities);
        assert_eq!(names(&bench.path("tmp")), BTreeSet::new());
        let kept = names(&bench.path("cache/describe"));
        assert!(kept.iter().all(|name| name.ends_with(".json")), "{kept:?}");
        let known = ["cache", "count", "plugins", "store", "suite.toml", "tmp"].map(str::to_owned);
        assert_eq!(names(&bench.path("")), BTreeSet::from(known));
    }
}

/// Kills that landed, by victim and phase; suites that came to their end.
#[derive(Default)]
struct Tally {
    landed: [[u64; 3]; 3],
    ends: u64,
    died_twice: u64,
}

impl Tally {
    fn total(&self) -> u64 {
        self.landed.iter().flatten().sum()
    }

    fn add(&mut self, victim: Victim, phase: Phase) {
        let at = |victim| VICTIMS.iter().position(|known| *known == victim).unwrap();
        self.landed[at(victim)][PHASES.iter().position(|known| *known == phase).unwrap()] += 1;
    }
}

/// One start of `run` with one kill (or several of workers); how it ended.
fn disturb(campaign: &mut Campaign, dice: &mut Dice, tally: &mut Tally) -> Answer {
    let child = campaign.start(dice);
    let victim = VICTIMS[dice.below(3) as usize];
    // A finished suite is fitted and shown within some 50 ms.
    let pause = if campaign.finished { 60 } else { [20, 60, 150, 400][dice.below(4) as usize] };
    std::thread::sleep(Duration::from_millis(1 + dice.below(pause)));
    let parent = child.id();
    if victim == Victim::Worker {
        let mut landed = 0;
        for _ in 0..=dice.below(6) {
            let there = workers(parent);
            landed += u64::from(!there.is_empty() && kill(there[dice.below(there.len() as u64) as usize]));
            std::thread::sleep(Duration::from_millis(1 + dice.below(80)));
        }
        let phase = if landed > 0 { campaign.look() } else { Phase::Start };
        (0..landed).for_each(|_| tally.add(victim, phase));
        if dice.below(2) == 0 {
            return finish(child);
        }
    }
    let victim = if victim == Victim::Worker { Victim::Parent } else { victim };
    let workers = if victim == Victim::Both { workers(parent) } else { Vec::new() };
    let landed = kill(parent);
    workers.into_iter().for_each(|worker| {
        kill(worker);
    });
    let answer = finish(child);
    if landed && answer.status.code().is_none() {
        tally.add(victim, campaign.look());
    }
    answer
}

#[test]
fn killed_at_many_random_moments() {
    let kills = verify::number("CLMBENCH_VERIFY_KILLS", 15);
    let seed = verify::number("CLMBENCH_VERIFY_SEED", 1);
    let undisturbed = Bench::new(SUITE);
    undisturbed.run();
    let (cells, board) = (undisturbed.cells(), undisturbed.board());
    let (mut dice, mut tally, mut campaign) = (Dice(seed), Tally::default(), Campaign::new());
    let (start, mut told) = (Instant::now(), 0);
    while tally.total() < kills {
        assert!(start.elapsed() < Duration::from_secs(3_600), "{} of {kills} kills", tally.total());
        let answer = disturb(&mut campaign, &mut dice, &mut tally);
        campaign.look();
        match answer.status.code() {
            None => {
                answer.killed();
            }
            Some(0) if !campaign.finished => campaign.finished = true,
            Some(0) => {
                campaign.check_end(&cells, &board);
                tally.ends += 1;
                campaign = Campaign::new();
            }
            // A cell whose worker was killed twice in one run fails; the next run takes it up unasked.
            Some(3) if answer.stderr.contains("was killed by SIGKILL") => tally.died_twice += 1,
            _ => panic!("{:?}\n{}\n{}", answer.status, answer.stdout, answer.stderr),
        }
        if tally.total() / 50 > told {
            told = tally.total() / 50;
            println!(
                "crash: {} of {kills} kills, {} suites at their end, {:.0} s",
                tally.total(),
                tally.ends,
                start.elapsed().as_secs_f64()
            );
        }
    }
    campaign.bench.clmbench(&["run", "suite.toml"]).code(0);
    campaign.check_end(&cells, &board);
    tally.ends += 1;
    let mut lines = vec![format!("seed {seed}; {} cells a suite; {:.0} s", cells.len(), start.elapsed().as_secs_f64())];
    lines.push(format!(
        "kills {}; suites at their end {}; cells killed twice in a run {}",
        tally.total(),
        tally.ends,
        tally.died_twice
    ));
    for (victim, landed) in VICTIMS.iter().zip(tally.landed) {
        lines.push(format!("{victim:?} {} {} {}", landed[0], landed[1], landed[2]));
    }
    verify::report("crash", &lines);
}
