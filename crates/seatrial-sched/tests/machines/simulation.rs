//! Many worlds, each from its seed.

use crate::world::{Seen, World};

/// Says which world it was, when its checks fail.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "the seed belongs beside the panic's own message")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed that failed: {}", self.0);
        }
    }
}

fn live(seed: u64) -> Seen {
    let _seed = Seed(seed);
    let mut world = World::new(seed);
    world.live();
    world.seen
}

#[test]
fn every_job_gets_one_honest_result_in_every_world() {
    let mut all = Seen::default();
    for seed in 0..5_000 {
        let seen = live(seed);
        all.stale += seen.stale;
        all.retries += seen.retries;
        all.deaths += seen.deaths;
        all.gave_up += seen.gave_up;
        all.returns += seen.returns;
        all.came_back += seen.came_back;
        all.too_late += seen.too_late;
        all.timeouts += seen.timeouts;
        all.slow += seen.slow;
        all.slots_lost += seen.slots_lost;
        all.slots_given_up += seen.slots_given_up;
        all.jobs += seen.jobs;
        all.moved += seen.moved;
        all.helped += seen.helped;
        all.set_up_once += seen.set_up_once;
    }
    // Worlds in which nothing happens prove nothing.
    let Seen { stale, retries, deaths, gave_up, returns, came_back, too_late, .. } = all;
    let Seen { timeouts, slow, slots_lost, slots_given_up, jobs, moved, helped, set_up_once, .. } = all;
    let often = [stale, retries, deaths, returns, came_back, timeouts, slow, slots_lost, jobs, helped];
    assert!(often.iter().all(|&count| count >= 1_000), "{all:?}");
    let seldom = [gave_up, too_late, slots_given_up, moved, set_up_once];
    assert!(seldom.iter().all(|&count| count >= 50), "{all:?}");
}

#[test]
fn a_seed_repeats_its_world() {
    for seed in [1, 42] {
        assert_eq!(format!("{:?}", live(seed)), format!("{:?}", live(seed)));
    }
}
