//! The SDK for Zig: plugins for ophost.
//!
//! An operation is a function with metadata. Its input and its output are values of Zig types, and
//! the SDK derives their JSON Schemas at compile time:
//!
//!     const Person = struct {
//!         name: []const u8,
//!         greeting: []const u8 = "Hello",
//!
//!         pub const schema = .{
//!             .description = "The person to greet.",
//!             .fields = .{ .name = .{ .description = "The name of the person", .min_length = 1 } },
//!         };
//!     };
//!
//!     fn greet(person: Person) ![]const u8 {
//!         return std.mem.concat(ophost.allocator, u8, &.{ person.greeting, ", ", person.name });
//!     }
//!
//!     pub const operations = .{
//!         ophost.operation(greet, .{ .name = "greet", .description = "..", .category = "demo" }),
//!     };
//!
//! Memory: each run has a new instance of the plugin, and the host discards its memory after the
//! run. The SDK therefore frees nothing, and an operation does not have to.

const std = @import("std");
const Self = @This();
const Stringify = std.json.Stringify;

/// The allocator of a run. If the memory limit is exceeded, the run ends with the failure `memory`.
pub const allocator = std.heap.wasm_allocator;

// Operations

/// The metadata of an operation.
pub const Options = struct {
    /// Parts of `[a-z][a-z0-9_]*`, joined by dots.
    name: []const u8,
    description: []const u8,
    category: []const u8,
    tags: []const []const u8 = &.{},
    permissions: []const []const u8 = &.{},
    /// Models that the operation reads.
    models_in: []const []const u8 = &.{},
    /// Models that the operation reads and writes.
    models_out: []const []const u8 = &.{},
    /// Stage of a pipeline.
    stage: ?[]const u8 = null,
    /// Whether direct calls are recorded by default.
    async_enabled: bool = false,
    /// Whether runs can have a record.
    create_taskrun: bool = true,
    /// Further settings, such as `.{ .key = "ophost.idempotent", .value = "true" }`.
    annotations: []const Annotation = &.{},
};

/// A key and a JSON text.
pub const Annotation = struct { key: []const u8, value: []const u8 };

/// An operation, see `operation`.
pub const Operation = struct {
    options: Options,
    input_schema: *const fn () anyerror![]const u8,
    output_schema: *const fn () anyerror![]const u8,
    run: *const fn ([]const u8) anyerror![]const u8,
};

/// Returns the operation of a function.
///
/// The function has at most one parameter and returns a value, an error or both. An error is a
/// failure of the run, see `fail`.
pub fn operation(comptime function: anytype, comptime options: Options) Operation {
    const info = @typeInfo(@TypeOf(function)).@"fn";
    if (info.param_types.len > 1) {
        @compileError("operation `" ++ options.name ++ "` has more than one parameter");
    }
    const Input = if (info.param_types.len == 0) void else info.param_types[0].?;
    const Returned = info.return_type.?;
    const is_fallible = @typeInfo(Returned) == .error_union;
    const Output = if (is_fallible) @typeInfo(Returned).error_union.payload else Returned;
    const functions = struct {
        fn inputSchema() anyerror![]const u8 {
            return schemaText(Input, .object);
        }

        fn outputSchema() anyerror![]const u8 {
            return schemaText(Output, .null);
        }

        fn run(text: []const u8) anyerror![]const u8 {
            const returned = if (Input == void) function() else function(try parse(Input, text, .{}));
            const output: Output = if (is_fallible) try returned else returned;
            return if (Output == void) "null" else stringify(output);
        }
    };
    return .{
        .options = options,
        .input_schema = functions.inputSchema,
        .output_schema = functions.outputSchema,
        .run = functions.run,
    };
}

// JSON

/// Parses a JSON text.
pub fn parse(comptime T: type, text: []const u8, options: std.json.ParseOptions) !T {
    return std.json.parseFromSliceLeaky(T, allocator, text, options);
}

/// Returns a value as a JSON text. The value can be a literal: `.{ .count = 1 }`.
pub fn stringify(value: anytype) error{OutOfMemory}![]const u8 {
    return Stringify.valueAlloc(allocator, value, .{});
}

// Failures

/// The kind of a failure.
pub const Kind = enum(u8) {
    /// Whether a retry can succeed is unknown.
    failure,
    /// A retry with the same input will fail too.
    permanent,
    /// The cause is temporary: a later retry can succeed.
    retryable,
};

/// The failure of the error that was returned last.
const Failure = struct {
    kind: Kind,
    message: []const u8,
    code: ?[]const u8 = null,
    details: ?[]const u8 = null,
    cause: ?anyerror = null,
    /// The error that belongs to the failure.
    @"error": anyerror,
};

var last_failure: ?Failure = null;

/// Returns the error of a failure, for `return ophost.fail(..)`.
///
/// `extra` can have the fields `code`, a text for programs, `details`, any value, and `cause`, an
/// error:
///
///     return ophost.fail(.permanent, "nothing is left", .{ .code = "no-stock", .details = .{ .left = 0 } });
///
/// Another error is a failure with the name of the error as its code.
pub fn fail(kind: Kind, message: []const u8, extra: anytype) error{ Failed, OutOfMemory } {
    inline for (@typeInfo(@TypeOf(extra)).@"struct".field_names) |name| {
        if (comptime !isOneOf(name, &.{ "code", "details", "cause" })) {
            @compileError("a failure has no field `" ++ name ++ "`");
        }
    }
    last_failure = .{ .kind = kind, .message = message, .@"error" = error.Failed };
    if (@hasField(@TypeOf(extra), "code")) last_failure.?.code = extra.code;
    if (@hasField(@TypeOf(extra), "details")) last_failure.?.details = try stringify(extra.details);
    if (@hasField(@TypeOf(extra), "cause")) last_failure.?.cause = extra.cause;
    return error.Failed;
}

/// Returns a text with its arguments filled in, for messages.
pub fn format(comptime text: []const u8, arguments: anytype) []const u8 {
    return std.fmt.allocPrint(allocator, text, arguments) catch @trap();
}

fn failureOf(err: anyerror) Failure {
    // The host reports the memory limit after a trap.
    if (err == error.OutOfMemory) @trap();
    if (last_failure) |failure| {
        if (failure.@"error" == err) return failure;
    }
    const message = format("error.{s}", .{@errorName(err)});
    return .{ .kind = .failure, .message = message, .code = @errorName(err), .@"error" = err };
}

/// The panics of a plugin. The host shows the message, and the functions that were called.
pub const panic = std.debug.FullPanic(struct {
    fn panic(message: []const u8, _: ?usize) noreturn {
        // The host takes the message of the failure from an entry that begins so.
        log(.err, format("panicked at operation `{s}`: {s}", .{ current, message }));
        @trap();
    }
}.panic);

// Log, progress and item errors

/// The level of a log entry.
pub const Level = enum(u32) { trace, debug, info, warn, err };

/// Adds an entry to the log of the run. `std.log` writes to the same log.
pub fn log(level: Level, message: []const u8) void {
    abi.write(@backingInt(level), abi.start(message), message.len, 0, abi.start(message), 0);
}

/// Adds an entry with structured data to the log of the run.
pub fn logData(level: Level, message: []const u8, data: anytype) !void {
    const text = try stringify(data);
    abi.write(@backingInt(level), abi.start(message), message.len, 1, abi.start(text), text.len);
}

/// The function `logFn` of `std_options`.
pub fn standardLog(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime text: []const u8,
    arguments: anytype,
) void {
    const prefix = if (scope == .default) "" else "(" ++ @tagName(scope) ++ ") ";
    const own: Level = switch (level) {
        .debug => .debug,
        .info => .info,
        .warn => .warn,
        .err => .err,
    };
    log(own, format(prefix ++ text, arguments));
}

/// Reports that `done` of `total` steps are completed.
pub fn reportProgress(done: u64, total: ?u64, message: ?[]const u8) void {
    const text = message orelse "";
    abi.report(done, @intFromBool(total != null), total orelse 0, @intFromBool(message != null), abi.start(text), text.len);
}

/// Adds the error of one item of a bulk input. The run continues. `index` counts from 0.
pub fn addItemError(index: u64, item: anytype, message: []const u8) !void {
    const text = try stringify(item);
    abi.add(index, abi.start(text), text.len, abi.start(message), message.len, 0, abi.start(message), 0);
}

// Context of the run

pub const context = struct {
    /// Returns the id of the run record; null if the run is not recorded.
    pub fn runId() ?[]const u8 {
        var id: abi.Optional(abi.Text) = undefined;
        abi.@"run-id"(&id);
        return textOf(id);
    }

    /// Returns the user of the run, if the caller names one.
    pub fn userId() ?[]const u8 {
        var id: abi.Optional(abi.Text) = undefined;
        abi.@"user-id"(&id);
        return textOf(id);
    }

    /// Returns the idempotency key of the request.
    pub fn idempotencyKey() ?[]const u8 {
        var key: abi.Optional(abi.Text) = undefined;
        abi.@"idempotency-key"(&key);
        return textOf(key);
    }

    /// Returns the channel of the call, such as `cli`.
    pub fn channel() []const u8 {
        var name: abi.Text = undefined;
        abi.channel(&name);
        return name.get();
    }

    /// Returns whether the host commits no document changes of this run.
    pub fn dryRun() bool {
        return abi.@"dry-run"() != 0;
    }

    /// Returns whether the caller set the test flag.
    pub fn testMode() bool {
        return abi.@"test-mode"() != 0;
    }

    /// Returns whether the caller wants verbose output.
    pub fn verbose() bool {
        return abi.verbose() != 0;
    }

    /// Returns the number of the attempt, from 1.
    pub fn attempt() u32 {
        return abi.attempt();
    }

    /// Returns the time at which the host stops the run, in milliseconds since 1970.
    pub fn deadline() u64 {
        return abi.deadline();
    }

    /// Returns the current time, in milliseconds since 1970.
    pub fn now() u64 {
        return abi.now();
    }

    /// Returns 64 random bits, suitable for secrets.
    pub fn random() u64 {
        return abi.random();
    }

    fn textOf(text: abi.Optional(abi.Text)) ?[]const u8 {
        return (text.get() orelse return null).get();
    }
};

// Documents

/// The errors of documents. The call changed nothing. The failure of the run has the code and the
/// message of the host.
pub const DocumentError = error{
    /// The operation does not declare the model, or only for reading.
    Denied,
    NotFound,
    Exists,
    /// The document has another revision.
    Stale,
    /// An argument is invalid, such as a filter.
    Invalid,
    TooLarge,
    /// Another error of the host.
    Other,
    OutOfMemory,
};

/// The condition of a write.
pub const Condition = union(enum) {
    always,
    /// No document has this id.
    absent,
    /// A document has this id.
    present,
    /// The document has this revision.
    at: u64,
};

/// The options of a query.
pub const Query = struct {
    /// Paths of fields, `-path` for descending order.
    sort: []const []const u8 = &.{},
    limit: ?usize = null,
};

/// Discards all writes of this run.
pub fn discard() void {
    abi.discard();
}

/// Returns the collection with this name, whose documents are values of `T`.
///
/// Fields of a document that `T` does not have are ignored.
pub fn Collection(comptime T: type, comptime name: []const u8) type {
    return struct {
        /// A stored document.
        pub const Document = struct { id: []const u8, revision: u64, value: T };

        /// Returns a document; null if it does not exist.
        pub fn get(id: []const u8) !?Document {
            var result: abi.Result(abi.Optional(abi.Document)) = undefined;
            abi.get(name.ptr, name.len, abi.start(id), id.len, &result);
            const found = (try checked(&result, id)).get() orelse return null;
            return try received(found);
        }

        /// Returns a document that must exist.
        pub fn require(id: []const u8) !Document {
            if (try get(id)) |document| return document;
            return documentError(error.NotFound, format("document `{s}` in `{s}` does not exist", .{ id, name }), null);
        }

        /// Creates a document with a new id, and returns the id.
        pub fn insert(value: anytype) DocumentError![]const u8 {
            return write(null, value, .absent);
        }

        /// Creates or replaces a document, if the condition holds.
        pub fn put(id: []const u8, value: anytype, condition: Condition) DocumentError!void {
            _ = try write(id, value, condition);
        }

        fn write(id: ?[]const u8, value: anytype, condition: Condition) DocumentError![]const u8 {
            const body = try stringify(value);
            const key = id orelse "";
            const revision = switch (condition) {
                .at => |revision| revision,
                else => 0,
            };
            // The cases have the order of the contract.
            const tag: u32 = @backingInt(condition);
            var result: abi.Result(abi.Text) = undefined;
            abi.put(name.ptr, name.len, @intFromBool(id != null), abi.start(key), key.len, abi.start(body), body.len, tag, revision, &result);
            return (try checked(&result, id)).get();
        }

        /// Sets the fields of a document at their paths. `fields` is a literal:
        /// `.{ .count = 1, .@"address.city" = "Rome" }`.
        pub fn set(id: []const u8, fields: anytype) DocumentError!void {
            const names = @typeInfo(@TypeOf(fields)).@"struct".field_names;
            var pairs: [names.len][2]abi.Text = undefined;
            inline for (names, 0..) |path, index| {
                pairs[index] = .{ .of(path), .of(try stringify(@field(fields, path))) };
            }
            var result: abi.Result(void) = undefined;
            abi.set(name.ptr, name.len, abi.start(id), id.len, abi.start(@as([]const [2]abi.Text, &pairs)), pairs.len, &result);
            return checked(&result, id);
        }

        /// Merges an object into a document. Null deletes a field, and a list replaces a list.
        pub fn merge(id: []const u8, patch: anytype) DocumentError!void {
            const text = try stringify(patch);
            var result: abi.Result(void) = undefined;
            abi.merge(name.ptr, name.len, abi.start(id), id.len, abi.start(text), text.len, &result);
            return checked(&result, id);
        }

        /// Deletes a document, and returns whether it existed.
        pub fn delete(id: []const u8) DocumentError!bool {
            var result: abi.Result(u8) = undefined;
            abi.delete(name.ptr, name.len, abi.start(id), id.len, &result);
            return try checked(&result, id) != 0;
        }

        /// Returns the documents that match a filter, a literal: `.{ .count = .{ .@"$gte" = 1 } }`.
        pub fn find(filter: anytype, query: Query) ![]Document {
            var documents: std.ArrayList(Document) = .empty;
            const text = try filterText(filter);
            const keys = try allocator.alloc(abi.SortKey, query.sort.len);
            for (keys, query.sort) |*key, path| key.* = .of(path);
            const limit = query.limit orelse std.math.maxInt(usize);
            var cursor: abi.Optional(abi.Text) = .none;
            while (documents.items.len < limit) {
                const rest: u32 = @min(limit - documents.items.len, abi.max_page);
                var result: abi.Result(abi.Page) = undefined;
                abi.find(name.ptr, name.len, abi.start(text), text.len, abi.start(keys), keys.len, 1, rest, cursor.tag, cursor.value.pointer, cursor.value.length, &result);
                const page = try checked(&result, null);
                for (page.documents.get()) |document| {
                    try documents.append(allocator, try received(document));
                }
                cursor = .of(page.next.get() orelse break);
            }
            return documents.items;
        }

        /// Returns the number of documents that match a filter.
        pub fn count(filter: anytype) DocumentError!u64 {
            const text = try filterText(filter);
            var result: abi.Result(u64) = undefined;
            abi.count(name.ptr, name.len, abi.start(text), text.len, &result);
            return checked(&result, null);
        }

        /// Returns a filter as a JSON text. The literal `.{}` is a list otherwise.
        fn filterText(filter: anytype) ![]const u8 {
            return if (@TypeOf(filter) == @TypeOf(.{})) "{}" else stringify(filter);
        }

        fn received(document: abi.Document) !Document {
            const value = parse(T, document.body.get(), .{ .ignore_unknown_fields = true }) catch |err| {
                if (err == error.OutOfMemory) return error.OutOfMemory;
                const message = "document `{s}` in `{s}` does not match the model: error.{s}";
                const text = format(message, .{ document.id.get(), name, @errorName(err) });
                return fail(.failure, text, .{ .code = "does-not-fit", .cause = err });
            };
            return .{ .id = document.id.get(), .revision = document.revision, .value = value };
        }

        /// Returns the value of a result, or its error.
        fn checked(result: anytype, id: ?[]const u8) DocumentError!@TypeOf(result.*).Value {
            if (result.tag == 0) return result.value();
            const place = if (id) |it|
                format("document `{s}` in `{s}`", .{ it, name })
            else
                format("collection `{s}`", .{name});
            return result.toError(place);
        }
    };
}

fn documentError(err: DocumentError, message: []const u8, code: ?[]const u8) DocumentError {
    last_failure = .{ .kind = .failure, .message = message, .@"error" = err, .code = code orelse switch (err) {
        error.Denied => "denied",
        error.NotFound => "not-found",
        error.Exists => "exists",
        error.Stale => "stale",
        error.Invalid => "invalid",
        error.TooLarge => "too-large",
        error.Other, error.OutOfMemory => null,
    } };
    return err;
}

// Schemas

fn schemaText(comptime T: type, comptime nothing: enum { object, null }) ![]const u8 {
    var out: std.Io.Writer.Allocating = .init(allocator);
    var json: Stringify = .{ .writer = &out.writer };
    if (T != void) {
        try writeSchema(T, .{}, null, &json);
    } else {
        try json.write(switch (nothing) {
            .object => .{ .type = "object", .additionalProperties = false },
            .null => .{ .type = "null" },
        });
    }
    return out.written();
}

/// Writes the schema of a type, or of a field with attributes and perhaps a default.
fn writeSchema(
    comptime T: type,
    comptime attributes: anytype,
    comptime default: ?T,
    json: *Stringify,
) !void {
    const is_nullable = @typeInfo(T) == .optional;
    try json.beginObject();
    try writeShape(if (is_nullable) @typeInfo(T).optional.child else T, attributes, is_nullable, json);
    if (default) |value| try writeField("default", value, json);
    try writeAttributes(@typeName(T), attributes, json);
    try json.endObject();
}

/// Writes the type and the parts of a type.
fn writeShape(
    comptime T: type,
    comptime attributes: anytype,
    comptime is_nullable: bool,
    json: *Stringify,
) !void {
    if (T != std.json.Value) switch (@typeInfo(T)) {
        .bool => try writeType("boolean", is_nullable, json),
        .int => {
            try writeType("integer", is_nullable, json);
            if (!@hasField(@TypeOf(attributes), "minimum")) try writeField("minimum", std.math.minInt(T), json);
            if (!@hasField(@TypeOf(attributes), "maximum")) try writeField("maximum", std.math.maxInt(T), json);
        },
        .float => try writeType("number", is_nullable, json),
        .@"enum" => |info| {
            try writeType("string", is_nullable, json);
            try json.objectField("enum");
            try json.beginArray();
            inline for (info.field_names) |name| try json.write(name);
            if (is_nullable) try json.write(null);
            try json.endArray();
        },
        .array => |info| {
            try writeType("array", is_nullable, json);
            try writeField("minItems", info.len, json);
            try writeField("maxItems", info.len, json);
            try json.objectField("items");
            try writeSchema(info.child, .{}, null, json);
        },
        .pointer => |info| if (info.size != .slice) {
            @compileError("the type `" ++ @typeName(T) ++ "` has no JSON Schema");
        } else if (info.child == u8) {
            try writeType("string", is_nullable, json);
        } else {
            try writeType("array", is_nullable, json);
            try json.objectField("items");
            try writeSchema(info.child, .{}, null, json);
        },
        .@"struct" => try writeStruct(T, attributes, is_nullable, json),
        else => @compileError("the type `" ++ @typeName(T) ++ "` has no JSON Schema"),
    };
}

fn writeType(name: []const u8, is_nullable: bool, json: *Stringify) !void {
    try json.objectField("type");
    if (is_nullable) try json.write([_][]const u8{ name, "null" }) else try json.write(name);
}

fn writeField(name: []const u8, value: anytype, json: *Stringify) !void {
    try json.objectField(name);
    try json.write(value);
}

fn writeStruct(comptime T: type, comptime attributes: anytype, comptime is_nullable: bool, json: *Stringify) !void {
    const info = @typeInfo(T).@"struct";
    if (info.is_tuple) @compileError("a tuple has no JSON Schema");
    const schema = if (@hasDecl(T, "schema")) T.schema else .{};
    const fields = if (@hasField(@TypeOf(schema), "fields")) schema.fields else .{};
    inline for (@typeInfo(@TypeOf(fields)).@"struct".field_names) |name| {
        if (!@hasField(T, name)) @compileError("`" ++ @typeName(T) ++ "` has no field `" ++ name ++ "`");
    }
    inline for (@typeInfo(@TypeOf(schema)).@"struct".field_names) |name| {
        if (comptime !isOneOf(name, &.{ "description", "fields" })) {
            @compileError("the schema of `" ++ @typeName(T) ++ "` has the unknown attribute `" ++ name ++ "`");
        }
    }
    try writeType("object", is_nullable, json);
    // The description of a field takes precedence over that of its type.
    if (@hasField(@TypeOf(schema), "description") and !@hasField(@TypeOf(attributes), "description")) {
        try writeField("description", schema.description, json);
    }
    try json.objectField("properties");
    try json.beginObject();
    inline for (info.field_names, info.field_types, info.field_attrs) |name, Field, attrs| {
        const own = if (@hasField(@TypeOf(fields), name)) @field(fields, name) else .{};
        try json.objectField(name);
        try writeSchema(Field, own, attrs.defaultValue(Field), json);
    }
    try json.endObject();
    try json.objectField("required");
    try json.beginArray();
    inline for (info.field_names, info.field_attrs) |name, attrs| {
        if (attrs.default_value_ptr == null) try json.write(name);
    }
    try json.endArray();
    try writeField("additionalProperties", false, json);
}

/// The attributes of fields, and their keywords in a schema.
const keywords = .{
    .{ "description", "description" },
    .{ "minimum", "minimum" },
    .{ "maximum", "maximum" },
    .{ "min_length", "minLength" },
    .{ "max_length", "maxLength" },
    .{ "pattern", "pattern" },
    .{ "min_items", "minItems" },
    .{ "max_items", "maxItems" },
    .{ "examples", "examples" },
};

fn writeAttributes(comptime type_name: []const u8, comptime attributes: anytype, json: *Stringify) !void {
    inline for (@typeInfo(@TypeOf(attributes)).@"struct".field_names) |name| {
        const keyword = inline for (keywords) |pair| {
            if (comptime std.mem.eql(u8, pair[0], name)) break pair[1];
        } else @compileError("a field of the type `" ++ type_name ++ "` has the unknown attribute `" ++ name ++ "`");
        try writeField(keyword, @field(attributes, name), json);
    }
}

fn isOneOf(comptime name: []const u8, comptime names: []const []const u8) bool {
    inline for (names) |known| {
        if (comptime std.mem.eql(u8, known, name)) return true;
    }
    return false;
}

// The exports

/// The name of the operation of this run.
var current: []const u8 = "describe";

/// Exports the operations of a plugin. `ophost build` generates the call.
pub fn exportPlugin(
    comptime name: []const u8,
    comptime version: []const u8,
    comptime operations: anytype,
) void {
    const functions = struct {
        const list: [operations.len]Operation = operations;

        fn describe() callconv(.c) *const abi.Plugin {
            const described = allocator.alloc(abi.Operation, list.len) catch @trap();
            for (described, list) |*target, source| {
                target.* = abi.Operation.of(source) catch @trap();
            }
            const plugin = allocator.create(abi.Plugin) catch @trap();
            plugin.* = .{ .name = .of(name), .version = .of(version), .operations = .of(described) };
            return plugin;
        }

        fn invoke(called: [*]const u8, length: usize, input: [*]const u8, size: usize) callconv(.c) *const abi.Returned {
            current = called[0..length];
            const returned = allocator.create(abi.Returned) catch @trap();
            if (run(input[0..size])) |output| {
                returned.* = .{ .tag = 0, .payload = .{ .output = .of(output) } };
            } else |err| {
                returned.* = .{ .tag = 1, .payload = .{ .failure = .of(failureOf(err)) } };
            }
            return returned;
        }

        fn run(input: []const u8) anyerror![]const u8 {
            for (list) |it| {
                if (std.mem.eql(u8, it.options.name, current)) return it.run(input);
            }
            // The host only calls operations of the description.
            return error.UnknownOperation;
        }
    };
    @export(&functions.describe, .{ .name = "ophost:plugin/operations@0.1.1#describe" });
    @export(&functions.invoke, .{ .name = "ophost:plugin/operations@0.1.1#invoke" });
    @export(&abi.realloc, .{ .name = "cabi_realloc" });
}

/// The types and functions of the contract in the canonical ABI of components.
const abi = struct {
    const max_page = 1000;

    const Text = List(u8);

    /// Returns the address of a slice. That of an empty one can be outside of the memory, which is
    /// not allowed.
    fn start(items: anytype) @TypeOf(items.ptr) {
        return if (items.len == 0) @ptrFromInt(@alignOf(@typeInfo(@TypeOf(items)).pointer.child)) else items.ptr;
    }

    fn List(comptime T: type) type {
        return extern struct {
            pointer: [*]const T,
            length: usize,

            fn of(items: []const T) @This() {
                return .{ .pointer = start(items), .length = items.len };
            }

            fn get(self: @This()) []const T {
                return self.pointer[0..self.length];
            }
        };
    }

    fn Optional(comptime T: type) type {
        return extern struct {
            tag: u8,
            value: T,

            const none: @This() = .{ .tag = 0, .value = .of("") };

            fn of(value: T) @This() {
                return .{ .tag = 1, .value = value };
            }

            fn get(self: @This()) ?T {
                return if (self.tag == 0) null else self.value;
            }
        };
    }

    // The exports

    const Plugin = extern struct {
        name: Text,
        version: Text,
        annotations: List(abi.Annotation) = .of(&.{}),
        operations: List(abi.Operation),
    };

    const Operation = extern struct {
        name: Text,
        description: Text,
        category: Text,
        input_schema: Text,
        output_schema: Text,
        tags: List(Text),
        permissions: List(Text),
        models_in: List(Text),
        models_out: List(Text),
        stage: Optional(Text),
        async_enabled: bool,
        create_taskrun: bool,
        annotations: List(abi.Annotation),

        fn of(source: Self.Operation) !abi.Operation {
            const options = source.options;
            const annotations = try allocator.alloc(abi.Annotation, options.annotations.len);
            for (annotations, options.annotations) |*target, annotation| {
                target.* = .{ .key = .of(annotation.key), .value = .of(annotation.value) };
            }
            return .{
                .name = .of(options.name),
                .description = .of(options.description),
                .category = .of(options.category),
                .input_schema = .of(try source.input_schema()),
                .output_schema = .of(try source.output_schema()),
                .tags = try texts(options.tags),
                .permissions = try texts(options.permissions),
                .models_in = try texts(options.models_in),
                .models_out = try texts(options.models_out),
                .stage = if (options.stage) |stage| .of(.of(stage)) else .none,
                .async_enabled = options.async_enabled,
                .create_taskrun = options.create_taskrun,
                .annotations = .of(annotations),
            };
        }
    };

    const Annotation = extern struct { key: Text, value: Text };

    fn texts(items: []const []const u8) !List(Text) {
        const copies = try allocator.alloc(Text, items.len);
        for (copies, items) |*copy, item| copy.* = .of(item);
        return .of(copies);
    }

    const Returned = extern struct {
        tag: u32,
        payload: extern union { output: Text, failure: abi.Failure },
    };

    const Failure = extern struct {
        tag: u32,
        message: Text,
        code: Optional(Text),
        details: Optional(Text),
        traceback: Optional(Text),

        fn of(failure: Self.Failure) abi.Failure {
            const optional = struct {
                fn optional(text: ?[]const u8) Optional(Text) {
                    return if (text) |it| .of(.of(it)) else .none;
                }
            }.optional;
            const cause = if (failure.cause) |err|
                format("caused by: error.{s}", .{@errorName(err)})
            else
                null;
            return .{
                .tag = @backingInt(failure.kind),
                .message = .of(failure.message),
                .code = optional(failure.code),
                .details = optional(failure.details),
                .traceback = optional(cause),
            };
        }
    };

    fn realloc(old: ?[*]u8, old_size: usize, alignment: usize, size: usize) callconv(.c) ?[*]u8 {
        const log2 = std.mem.Alignment.fromByteUnits(alignment);
        const new = allocator.rawAlloc(size, log2, @returnAddress()) orelse @trap();
        // The host only grows texts that it has not written completely.
        if (old) |bytes| @memcpy(new[0..@min(old_size, size)], bytes[0..@min(old_size, size)]);
        return new;
    }

    // The imports

    extern "ophost:plugin/context@0.1.1" fn @"run-id"(*Optional(Text)) void;
    extern "ophost:plugin/context@0.1.1" fn @"user-id"(*Optional(Text)) void;
    extern "ophost:plugin/context@0.1.1" fn channel(*Text) void;
    extern "ophost:plugin/context@0.1.1" fn @"dry-run"() u32;
    extern "ophost:plugin/context@0.1.1" fn @"test-mode"() u32;
    extern "ophost:plugin/context@0.1.1" fn verbose() u32;
    extern "ophost:plugin/context@0.1.1" fn attempt() u32;
    extern "ophost:plugin/context@0.1.1" fn deadline() u64;
    extern "ophost:plugin/context@0.1.1" fn @"idempotency-key"(*Optional(Text)) void;
    extern "ophost:plugin/context@0.1.1" fn now() u64;
    extern "ophost:plugin/context@0.1.1" fn random() u64;
    extern "ophost:plugin/log@0.1.1" fn write(u32, [*]const u8, usize, u32, [*]const u8, usize) void;
    extern "ophost:plugin/progress@0.1.1" fn report(u64, u32, u64, u32, [*]const u8, usize) void;
    extern "ophost:plugin/item-errors@0.1.1" fn add(u64, [*]const u8, usize, [*]const u8, usize, u32, [*]const u8, usize) void;

    // Documents

    const Document = extern struct { id: Text, revision: u64, body: Text };

    const Page = extern struct { documents: List(Document), next: Optional(Text) };

    const SortKey = extern struct {
        path: Text,
        descending: bool,

        fn of(path: []const u8) SortKey {
            const is_descending = path.len > 0 and path[0] == '-';
            return .{ .path = .of(path[@intFromBool(is_descending)..]), .descending = is_descending };
        }
    };

    const Error = extern struct {
        tag: u8,
        payload: extern union {
            message: Text,
            revision: Optional(u64),
            other: extern struct { code: Text, message: Text },
        },
    };

    fn Result(comptime T: type) type {
        return extern struct {
            tag: u8,
            payload: extern union { value: if (T == void) u8 else T, @"error": Error },

            const Value = T;

            fn value(self: *const @This()) T {
                return if (T == void) {} else self.payload.value;
            }

            /// Returns the error of a call for a document or a collection.
            fn toError(self: *const @This(), place: []const u8) DocumentError {
                const payload = self.payload.@"error".payload;
                return switch (self.payload.@"error".tag) {
                    0 => documentError(error.Denied, payload.message.get(), null),
                    1 => documentError(error.NotFound, format("{s} does not exist", .{place}), null),
                    2 => documentError(error.Exists, format("{s} exists already", .{place}), null),
                    3 => documentError(error.Stale, format("{s} has another revision", .{place}), null),
                    4 => documentError(error.Invalid, payload.message.get(), null),
                    5 => documentError(error.TooLarge, payload.message.get(), null),
                    else => documentError(error.Other, payload.other.message.get(), payload.other.code.get()),
                };
            }
        };
    }

    extern "ophost:plugin/documents@0.1.1" fn get([*]const u8, usize, [*]const u8, usize, *Result(Optional(Document))) void;
    extern "ophost:plugin/documents@0.1.1" fn put([*]const u8, usize, u32, [*]const u8, usize, [*]const u8, usize, u32, u64, *Result(Text)) void;
    extern "ophost:plugin/documents@0.1.1" fn set([*]const u8, usize, [*]const u8, usize, [*]const [2]Text, usize, *Result(void)) void;
    extern "ophost:plugin/documents@0.1.1" fn merge([*]const u8, usize, [*]const u8, usize, [*]const u8, usize, *Result(void)) void;
    extern "ophost:plugin/documents@0.1.1" fn delete([*]const u8, usize, [*]const u8, usize, *Result(u8)) void;
    extern "ophost:plugin/documents@0.1.1" fn find([*]const u8, usize, [*]const u8, usize, [*]const SortKey, usize, u32, u32, u32, [*]const u8, usize, *Result(Page)) void;
    extern "ophost:plugin/documents@0.1.1" fn count([*]const u8, usize, [*]const u8, usize, *Result(u64)) void;
    extern "ophost:plugin/documents@0.1.1" fn discard() void;
};
