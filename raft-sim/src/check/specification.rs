//! The specification beside the other checks: what departs from it without anything else being seen is reported when
//! the run is over.

use raft_core::{Instant, NodeId};

use super::{CheckLevel, Checks};
use crate::machine::Machine;
use crate::spec::{Departure, Spec};
use crate::violation::{Property, Violation};

impl<M: Machine> Checks<M> {
    /// Tells the specification of something at a node. Of a departure it is told once: after that it knows no more what a
    /// node may do.
    pub(super) fn specified(
        &mut self,
        at: Instant,
        node: NodeId,
        told: impl FnOnce(&mut Spec, usize) -> Result<(), Departure>,
    ) -> Result<(), Violation> {
        if self.level == CheckLevel::None || self.departure.is_some() {
            return Ok(());
        }
        let Some(place) = self.place_of(node) else { return Ok(()) };
        let Err(witness) = told(&mut self.spec, place) else { return Ok(()) };
        let departure = Violation::new(Property::Specification, at, &[node], witness);
        if self.level == CheckLevel::Specification {
            return Err(departure);
        }
        self.departure = Some(departure);
        Ok(())
    }

    /// The first departure from the specification, if there was one.
    pub fn departure(&self) -> Option<&Violation> {
        self.departure.as_ref()
    }
}
