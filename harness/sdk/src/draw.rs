//! Drawing from libtorch's generator on the CPU, which is one for the process, with no other thread between.

use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

thread_local! {
    /// Whether this thread is drawing already.
    static DRAWING: Cell<bool> = const { Cell::new(false) };
}

/// What `draw` makes with the generator at this seed. One draw at a time in the process: with two threads between seeding and
/// drawing, each would get a share of the other's stream. The weights of [`init`](crate::init) never fall between either.
pub fn drawn<T>(seed: i64, draw: impl FnOnce() -> T) -> T {
    alone(|| {
        #[allow(clippy::disallowed_methods, reason = "this is where it is allowed")]
        tch::manual_seed(seed);
        draw()
    })
}

/// What `draw` makes with the generator wherever it stands, while no other thread draws in this way. Within itself it is `draw` alone.
pub(crate) fn alone<T>(draw: impl FnOnce() -> T) -> T {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            DRAWING.set(false);
        }
    }
    if DRAWING.get() {
        return draw();
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    DRAWING.set(true);
    let _restore = Restore;
    draw()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use tch::{Tensor, kind::FLOAT_CPU};

    use super::drawn;
    use crate::init;

    #[test]
    fn threads_that_draw_at_once_get_what_each_would_get_alone() {
        let numbers = |seed: i64| {
            let drawn = drawn(seed, || {
                [(); 5].map(|()| {
                    std::thread::sleep(Duration::from_millis(2)); // time for another thread to come between
                    Tensor::randn([16], FLOAT_CPU)
                })
            });
            Vec::<f32>::try_from(Tensor::cat(&drawn, 0)).expect("numbers")
        };
        let alone = [numbers(1), numbers(2)];
        assert_ne!(alone[0], alone[1]);
        let done = AtomicBool::new(false);
        let together = std::thread::scope(|scope| {
            // Weights that nobody seeded, all the time.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(init::normal(&[16], 1.0));
                }
            });
            let threads = [1, 2].map(|seed| scope.spawn(move || numbers(seed)));
            let together = threads.map(|thread| thread.join().expect("drawing does not panic"));
            done.store(true, Ordering::Relaxed);
            together
        });
        assert_eq!(together, alone);
    }

    #[test]
    fn a_draw_within_a_draw_goes_on_with_its_stream_and_a_panic_lets_others_draw() {
        let of = || Vec::<f32>::try_from(drawn(1, || init::normal(&[4], 1.0)).detach()).expect("four numbers");
        let alone = of();
        assert!(std::panic::catch_unwind(|| drawn(2, || panic!("while drawing"))).is_err());
        assert_eq!(of(), alone);
        assert_eq!(std::thread::spawn(of).join().expect("the lock is free"), alone);
    }
}
