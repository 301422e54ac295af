//! What the scalars of checked fields mean.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Node, NodeValue, ScalarKind};

use super::units;

/// The whole number that a scalar means.
pub(super) fn integer(node: &Node) -> Option<i64> {
    match &node.value {
        NodeValue::Scalar { kind: ScalarKind::Integer(value), .. } => Some(*value),
        NodeValue::Scalar { kind: ScalarKind::Float(value), .. } => {
            (value.fract() == 0.0 && value.abs() < 9e15).then_some(*value as i64)
        }
        NodeValue::Scalar { kind: ScalarKind::String, text } => text.parse().ok(),
        _ => None,
    }
}

/// The number of devices that a scalar means; -1 for all.
pub(super) fn device_count(node: &Node) -> Option<i64> {
    if node.text().is_some_and(|text| text.eq_ignore_ascii_case("all")) { Some(-1) } else { integer(node) }
}

/// The number that a scalar means, as precise as Compose keeps it.
pub(super) fn float(node: &Node) -> Option<f32> {
    match &node.value {
        NodeValue::Scalar { kind: ScalarKind::Integer(value), .. } => Some(*value as f32),
        NodeValue::Scalar { kind: ScalarKind::Float(value), .. } => {
            Some(*value as f32).filter(|value| value.is_finite())
        }
        NodeValue::Scalar { kind: ScalarKind::String, text } => {
            units::plain_float(text).map(|value| value as f32)
        }
        _ => None,
    }
}

/// The size that a scalar means.
pub(super) fn byte_size(node: &Node) -> Option<i64> {
    match &node.value {
        NodeValue::Scalar { kind: ScalarKind::Integer(value), .. } => Some(*value),
        NodeValue::Scalar { kind: ScalarKind::String, text } => units::bytes(text),
        _ => None,
    }
}

/// The truth value that a scalar means.
pub(super) fn truth(node: &Node) -> Option<bool> {
    match &node.value {
        NodeValue::Scalar { kind: ScalarKind::Bool(value), .. } => Some(*value),
        NodeValue::Scalar { kind: ScalarKind::String, text } => units::truth(text).map(|(value, _)| value),
        _ => None,
    }
}
