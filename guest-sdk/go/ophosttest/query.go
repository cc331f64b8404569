package ophosttest

import (
	"cmp"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// found is a document that matches a filter, with its content.
type found struct {
	id     string
	object map[string]any
}

// matching returns the documents that match a filter, in the order of their ids.
func (s store) matching(collection, filter string) ([]found, error) {
	conditions, err := schema.Decode([]byte(filter))
	fields, isObject := conditions.(map[string]any)
	if err != nil || !isObject {
		return nil, invalid("a filter is a JSON object")
	}
	var all []found
	for _, id := range s.ids(collection) {
		object, err := s.object(collection, id)
		if err != nil {
			return nil, err
		}
		document := found{id, object}
		isMatch, err := document.matchesAll(fields)
		if err != nil {
			return nil, err
		}
		if isMatch {
			all = append(all, document)
		}
	}
	return all, nil
}

func (s store) find(collection string, query contract.Query) (contract.Page, error) {
	all, err := s.matching(collection, query.Filter)
	if err != nil {
		return contract.Page{}, err
	}
	slices.SortStableFunc(all, func(a, b found) int {
		for _, key := range query.Sort {
			order := compare(a.first(key.Path), b.first(key.Path))
			if key.Descending {
				order = -order
			}
			if order != 0 {
				return order
			}
		}
		return 0
	})
	// The cursor is the number of earlier documents.
	skipped, _ := strconv.Atoi(query.Cursor)
	rest := all[min(skipped, len(all)):]
	limit := cmp.Or(int(query.Limit), 100)
	page := contract.Page{}
	for _, document := range rest[:min(limit, len(rest))] {
		current := s[collection][document.id]
		page.Documents = append(page.Documents, contract.Document{
			ID: document.id, Revision: current.revision, Body: current.body,
		})
	}
	if limit < len(rest) {
		page.Next = strconv.Itoa(skipped + limit)
	}
	return page, nil
}

// values returns the values at a path. A path traverses lists.
func (f found) values(path string) []any {
	if path == "_id" {
		return []any{f.id}
	}
	values := []any{any(f.object)}
	for _, name := range strings.Split(path, ".") {
		var inner []any
		for _, value := range values {
			inner = append(inner, step(value, name)...)
		}
		values = inner
	}
	return values
}

func (f found) first(path string) any {
	if values := f.values(path); len(values) > 0 {
		return values[0]
	}
	return nil
}

func step(value any, name string) []any {
	switch value := value.(type) {
	case map[string]any:
		if field, exists := value[name]; exists {
			return []any{field}
		}
	case []any:
		if index, err := strconv.Atoi(name); err == nil {
			if index >= 0 && index < len(value) {
				return []any{value[index]}
			}
			return nil
		}
		var inner []any
		for _, item := range value {
			inner = append(inner, step(item, name)...)
		}
		return inner
	}
	return nil
}

func (f found) matchesAll(conditions map[string]any) (bool, error) {
	for name, condition := range conditions {
		isMatch, err := f.matches(name, condition)
		if err != nil || !isMatch {
			return false, err
		}
	}
	return true, nil
}

func (f found) matches(name string, condition any) (bool, error) {
	switch name {
	case "$and", "$or", "$nor":
		return f.matchesGroup(name, condition)
	}
	operators, isObject := condition.(map[string]any)
	if !isObject || !hasOperators(operators) {
		operators = map[string]any{"$eq": condition}
	}
	for operator, argument := range operators {
		isMatch, err := holds(operator, argument, f.values(name))
		if err != nil || !isMatch {
			return false, err
		}
	}
	return true, nil
}

func (f found) matchesGroup(name string, condition any) (bool, error) {
	filters, isList := condition.([]any)
	if !isList {
		return false, invalid("the argument of `%s` is no list", name)
	}
	count := 0
	for _, filter := range filters {
		fields, _ := filter.(map[string]any)
		isMatch, err := f.matchesAll(fields)
		if err != nil {
			return false, err
		}
		if isMatch {
			count++
		}
	}
	switch name {
	case "$and":
		return count == len(filters), nil
	case "$or":
		return count > 0, nil
	}
	return count == 0, nil
}

func hasOperators(fields map[string]any) bool {
	for name := range fields {
		if strings.HasPrefix(name, "$") {
			return true
		}
	}
	return false
}

// holds returns whether an operator holds for the values at a path.
func holds(operator string, argument any, values []any) (bool, error) {
	switch operator {
	case "$ne", "$nin", "$not":
		isMatch, err := holdsNot(operator, argument, values)
		return !isMatch, err
	case "$exists":
		return (len(values) > 0) == (argument == true), nil
	case "$eq":
		if argument == nil && len(values) == 0 {
			return true, nil
		}
	}
	for _, value := range values {
		candidates := []any{value}
		if items, isList := value.([]any); isList {
			candidates = append(candidates, items...)
		}
		for _, candidate := range candidates {
			isMatch, err := holdsFor(operator, argument, candidate)
			if err != nil || isMatch {
				return isMatch, err
			}
		}
	}
	return false, nil
}

func holdsNot(operator string, argument any, values []any) (bool, error) {
	switch operator {
	case "$ne":
		return holds("$eq", argument, values)
	case "$nin":
		return holds("$in", argument, values)
	}
	operators, _ := argument.(map[string]any)
	for name, inner := range operators {
		isMatch, err := holds(name, inner, values)
		if err != nil || !isMatch {
			return false, err
		}
	}
	return true, nil
}

func holdsFor(operator string, argument, value any) (bool, error) {
	switch operator {
	case "$eq":
		return compare(value, argument) == 0, nil
	case "$gt":
		return rank(value) == rank(argument) && compare(value, argument) > 0, nil
	case "$gte":
		return rank(value) == rank(argument) && compare(value, argument) >= 0, nil
	case "$lt":
		return rank(value) == rank(argument) && compare(value, argument) < 0, nil
	case "$lte":
		return rank(value) == rank(argument) && compare(value, argument) <= 0, nil
	case "$in":
		alternatives, isList := argument.([]any)
		if !isList {
			return false, invalid("the argument of `$in` is no list")
		}
		isEqual := func(alternative any) bool { return compare(value, alternative) == 0 }
		return slices.ContainsFunc(alternatives, isEqual), nil
	case "$regex":
		text, isText := value.(string)
		pattern, _ := argument.(string)
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return false, invalid("%v", err)
		}
		return isText && compiled.MatchString(text), nil
	}
	return false, invalid("package ophosttest does not support the operator `%s`", operator)
}

// compare orders JSON values by type, and then by value.
func compare(a, b any) int {
	if order := cmp.Compare(rank(a), rank(b)); order != 0 {
		return order
	}
	switch a := a.(type) {
	case json.Number:
		return rational(a).Cmp(rational(b.(json.Number)))
	case string:
		return cmp.Compare(a, b.(string))
	case bool:
		if a == b.(bool) {
			return 0
		}
		if a {
			return 1
		}
		return -1
	}
	if reflect.DeepEqual(a, b) {
		return 0
	}
	return 1
}

func rational(number json.Number) *big.Rat {
	value, isValid := new(big.Rat).SetString(number.String())
	if !isValid {
		return new(big.Rat)
	}
	return value
}

func rank(value any) int {
	switch value.(type) {
	case nil:
		return 0
	case json.Number:
		return 1
	case string:
		return 2
	case map[string]any:
		return 3
	case []any:
		return 4
	}
	return 5
}
