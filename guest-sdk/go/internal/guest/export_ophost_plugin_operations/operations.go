// Package export_ophost_plugin_operations exports the operations of a component. The generated
// bindings require this name.
package export_ophost_plugin_operations

import (
	"ophost/internal/bindings/ophost_plugin_types"
	"ophost/internal/contract"
	"ophost/internal/guest"
	witTypes "ophost/internal/wit/types"
)

// Describe returns the description of the registered plugin.
func Describe() ophost_plugin_types.Plugin {
	described := contract.Describe()
	plugin := ophost_plugin_types.Plugin{Name: described.Name, Version: described.Version}
	for _, operation := range described.Operations {
		plugin.Operations = append(plugin.Operations, ophost_plugin_types.Operation{
			Name:          operation.Name,
			Description:   operation.Description,
			Category:      operation.Category,
			InputSchema:   operation.InputSchema,
			OutputSchema:  operation.OutputSchema,
			Tags:          operation.Tags,
			Permissions:   operation.Permissions,
			ModelsIn:      operation.ModelsIn,
			ModelsOut:     operation.ModelsOut,
			Stage:         guest.Option(operation.Stage),
			AsyncEnabled:  operation.AsyncEnabled,
			CreateTaskrun: operation.CreateTaskrun,
			Annotations:   annotations(operation.Annotations),
		})
	}
	return plugin
}

func annotations(described []contract.Annotation) []ophost_plugin_types.Annotation {
	var all []ophost_plugin_types.Annotation
	for _, annotation := range described {
		all = append(all, ophost_plugin_types.Annotation{Key: annotation.Key, Value: annotation.Value})
	}
	return all
}

// Invoke runs an operation.
func Invoke(operation, input string) witTypes.Result[string, ophost_plugin_types.Failure] {
	output, failure := contract.Invoke(guest.Host{}, operation, input)
	if failure == nil {
		return witTypes.Ok[string, ophost_plugin_types.Failure](output)
	}
	info := ophost_plugin_types.FailureInfo{
		Message:   failure.Message,
		Code:      guest.Option(failure.Code),
		Details:   guest.Option(failure.Details),
		Traceback: guest.Option(failure.Traceback),
	}
	make := ophost_plugin_types.MakeFailureError
	switch failure.Kind {
	case contract.Permanent:
		make = ophost_plugin_types.MakeFailurePermanent
	case contract.Retryable:
		make = ophost_plugin_types.MakeFailureRetryable
	}
	return witTypes.Err[string, ophost_plugin_types.Failure](make(info))
}
