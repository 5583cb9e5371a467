//! What nodes have asked for and not got.

use seatrial_model::{NodeId, SlotId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A slot, seen from the coordinator.
pub(super) type Seat = (NodeId, SlotId);

/// Standing wishes. Nodes take turns, one job each, so that few jobs are spread over many nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    by_node: BTreeMap<NodeId, Wish>,
    turns: BTreeSet<(u64, NodeId)>,
    next_turn: u64,
    total: u64,
}

#[derive(Clone, Debug)]
struct Wish {
    turn: u64,
    /// Wishes of each slot that has any.
    slots: BTreeMap<SlotId, u32>,
}

impl Wishes {
    /// The node asks for so many more for this slot.
    pub(super) fn add(&mut self, (node, slot): Seat, count: u32) {
        if count == 0 {
            return;
        }
        self.total += u64::from(count);
        if let Some(wish) = self.by_node.get_mut(&node) {
            let wished = wish.slots.entry(slot).or_default();
            *wished = wished.saturating_add(count);
        } else {
            self.line_up(node, BTreeMap::from([(slot, count)]));
        }
    }

    /// The slot that gets what any slot may have: of the node whose turn it is the one that asks for most, because an
    /// idle slot asks for more than a busy one.
    pub(super) fn front(&self) -> Option<Seat> {
        let &(_, node) = self.turns.first()?;
        let slots = &self.by_node.get(&node)?.slots;
        let (&slot, _) = slots.iter().max_by_key(|&(slot, count)| (count, Reverse(slot)))?;
        Some((node, slot))
    }

    /// True when this slot has a wish.
    pub(super) fn has(&self, (node, slot): Seat) -> bool {
        self.by_node.get(&node).is_some_and(|wish| wish.slots.contains_key(&slot))
    }

    /// One wish of this slot is served.
    pub(super) fn serve(&mut self, (node, slot): Seat) {
        let Some(Wish { turn, mut slots }) = self.by_node.remove(&node) else { return };
        self.turns.remove(&(turn, node));
        if let Some(count) = slots.remove(&slot) {
            self.total = self.total.saturating_sub(1);
            if count > 1 {
                slots.insert(slot, count - 1);
            }
        }
        if !slots.is_empty() {
            self.line_up(node, slots);
        }
    }

    /// The node is gone.
    pub(super) fn forget(&mut self, node: NodeId) {
        if let Some(wish) = self.by_node.remove(&node) {
            self.turns.remove(&(wish.turn, node));
            let count: u64 = wish.slots.values().map(|&count| u64::from(count)).sum();
            self.total = self.total.saturating_sub(count);
        }
    }

    /// Wishes of all nodes.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    fn line_up(&mut self, node: NodeId, slots: BTreeMap<SlotId, u32>) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.by_node.insert(node, Wish { turn, slots });
        self.turns.insert((turn, node));
    }
}
