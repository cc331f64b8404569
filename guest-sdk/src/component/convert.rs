//! Conversions from the SDK's types to the types of the contract.

use super::bindings::exports::ophost::plugin::operations as contract;
use super::bindings::ophost::plugin::types::{Annotation, FailureInfo, Operation};
use crate::{Failure, FailureKind, Plugin};

impl From<Plugin> for contract::Plugin {
    fn from(plugin: Plugin) -> Self {
        Self {
            name: plugin.name.to_owned(),
            version: plugin.version.to_owned(),
            annotations: annotations(plugin.annotations),
            operations: plugin.operations.iter().map(Operation::from).collect(),
        }
    }
}

impl From<&crate::Operation> for Operation {
    fn from(operation: &crate::Operation) -> Self {
        Self {
            name: operation.name.to_owned(),
            description: operation.description.to_owned(),
            category: operation.category.to_owned(),
            input_schema: (operation.input_schema)().to_string(),
            output_schema: (operation.output_schema)().to_string(),
            tags: texts(operation.tags),
            permissions: texts(operation.permissions),
            models_in: texts(operation.models_in),
            models_out: texts(operation.models_out),
            stage: operation.stage.map(str::to_owned),
            async_enabled: operation.async_enabled,
            create_taskrun: operation.create_taskrun,
            annotations: annotations(operation.annotations),
        }
    }
}

impl From<Failure> for contract::Failure {
    fn from(failure: Failure) -> Self {
        let info = FailureInfo {
            message: failure.message,
            code: failure.code,
            details: failure.details.map(|details| details.to_string()),
            traceback: failure.traceback,
        };
        match failure.kind {
            FailureKind::Error => Self::Error(info),
            FailureKind::Permanent => Self::Permanent(info),
            FailureKind::Retryable => Self::Retryable(info),
        }
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(str::to_owned).collect()
}

fn annotations(annotations: &[crate::Annotation]) -> Vec<Annotation> {
    annotations
        .iter()
        .map(|annotation| Annotation {
            key: annotation.key.to_owned(),
            value: (annotation.value)().to_string(),
        })
        .collect()
}
