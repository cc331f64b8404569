package ophost

import "reflect"

// missing stands for a field that does not exist.
type missing struct{}

// merge applies the changes from before to now to a stored JSON value, and returns whether there are
// any. Fields that both states leave out are kept, such as those that a model does not have. A
// changed list is replaced, because its items have no identity.
func merge(stored, before, now any) (any, bool) {
	if reflect.DeepEqual(before, now) {
		return stored, false
	}
	storedFields, isStored := stored.(map[string]any)
	oldFields, isOld := before.(map[string]any)
	newFields, isNew := now.(map[string]any)
	if !isStored || !isOld || !isNew {
		return now, true
	}
	merged := map[string]any{}
	for name := range storedFields {
		mergeField(merged, name, storedFields, oldFields, newFields)
	}
	for name := range newFields {
		mergeField(merged, name, storedFields, oldFields, newFields)
	}
	return merged, true
}

func mergeField(merged map[string]any, name string, states ...map[string]any) {
	values := [3]any{}
	for i, fields := range states {
		value, exists := fields[name]
		if !exists {
			value = missing{}
		}
		values[i] = value
	}
	value, _ := merge(values[0], values[1], values[2])
	if _, isMissing := value.(missing); !isMissing {
		merged[name] = value
	}
}
