//! A model of where groups belong: which slot may have a job, and whether one is idle beside a job that it may have.

use seatrial_model::{JobId, Near, NodeId, SlotId};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Seat = (NodeId, SlotId);

/// What is known of groups whose jobs must be together, and of all wishes.
#[derive(Default)]
pub(crate) struct Homes {
    wishes: BTreeMap<Seat, u32>,
    homes: BTreeMap<Near, Home>,
    /// The group that a slot got a job of last.
    latest: BTreeMap<Seat, Near>,
}

/// Where a group was sent.
struct Home {
    seat: Seat,
    /// A job of it ran there, and the slot has not died since.
    begun: bool,
    /// Jobs of it that nodes hold, and for which slot.
    held: BTreeMap<JobId, Seat>,
}

impl Homes {
    pub(crate) fn wished(&mut self, seat: Seat, count: u32) {
        *self.wishes.entry(seat).or_default() += count;
    }

    /// A wish of this slot is served, with a job of this group.
    pub(crate) fn served(&mut self, seat: Seat, job: JobId, near: Option<Near>) {
        let wish = self.wishes.get_mut(&seat).expect("the slot asked for nothing");
        *wish = wish.checked_sub(1).expect("the slot asked for no more");
        let Some(near) = near else { return };
        if near.together {
            if let Some(home) = self.homes.get(&near).filter(|home| !home.held.is_empty()) {
                for other in home.held.values() {
                    assert_eq!(other.0, seat.0, "{near:?} is torn apart between nodes");
                }
                let known = home.seat == seat || home.held.values().any(|other| *other == seat);
                assert!(known, "{near:?} is torn apart between slots");
            }
            let home = self.homes.entry(near).or_insert(Home { seat, begun: false, held: BTreeMap::new() });
            let there = home.begun && self.latest.get(&home.seat) == Some(&near);
            assert!(home.seat == seat || !there, "{near:?} has begun in {:?}", home.seat);
            // A slot that has moved on begins anew.
            if home.seat != seat || (home.held.is_empty() && !there) {
                (home.seat, home.begun) = (seat, false);
            }
            home.held.insert(job, seat);
        }
        self.latest.insert(seat, near);
    }

    pub(crate) fn started(&mut self, seat: Seat, job: JobId, near: Option<Near>) {
        let Some((near, home)) = near.and_then(|near| Some((near, self.homes.get_mut(&near)?))) else {
            return;
        };
        home.begun = true;
        if home.held.insert(job, seat) != Some(seat) {
            home.seat = seat;
            self.latest.insert(seat, near);
        }
    }

    /// A job is held no longer. `more` says that others of its group wait, or this one itself; `ran` how it was:
    /// absent, not at all; true, and its slot lives; false, and its slot died.
    pub(crate) fn let_go(&mut self, job: JobId, near: Option<Near>, ran: Option<bool>, more: bool) {
        let Some((near, home)) = near.and_then(|near| Some((near, self.homes.get_mut(&near)?))) else {
            return;
        };
        home.held.remove(&job);
        home.begun = ran.unwrap_or(home.begun);
        if home.held.is_empty() && (!home.begun || !more) {
            self.homes.remove(&near);
        }
    }

    pub(crate) fn slot_gone(&mut self, seat: Seat) {
        self.latest.remove(&seat);
        for home in self.homes.values_mut().filter(|home| home.seat == seat) {
            home.begun = false;
        }
        self.homes.retain(|_, home| home.begun || !home.held.is_empty());
    }

    pub(crate) fn node_lost(&mut self, node: NodeId) {
        self.wishes.retain(|seat, _| seat.0 != node);
        self.latest.retain(|seat, _| seat.0 != node);
        self.homes.retain(|_, home| home.seat.0 != node);
    }

    /// No wish stands beside a job that it may have; `waiting` are the groups of the jobs that wait.
    pub(crate) fn judge(&self, waiting: &BTreeSet<Option<Near>>) {
        let wishing: BTreeSet<Seat> =
            self.wishes.iter().filter(|(_, count)| **count > 0).map(|(seat, _)| *seat).collect();
        for near in waiting {
            let home = near.filter(|near| near.together).and_then(|near| self.homes.get(&near));
            if let Some(home) = home {
                let there = self.latest.get(&home.seat) == near.as_ref();
                assert!(!there || !wishing.contains(&home.seat), "{near:?} waits though its slot asks");
                let stays = home.begun && there;
                assert!(stays || !home.held.is_empty() || wishing.is_empty(), "{near:?} waits for nobody");
            } else {
                assert!(wishing.is_empty(), "{near:?} waits beside {wishing:?}");
            }
        }
    }
}
