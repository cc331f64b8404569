// Failures and panics.

#include "ophost.hpp"

namespace ophost {

namespace {

std::unexpected<Failure> failure(Kind kind, std::string message, Extra extra,
                                 std::source_location location) {
    Failure failure{.kind = kind,
                    .message = std::move(message),
                    .code = std::move(extra.code),
                    .details = std::move(extra.details),
                    .location = location};
    if (extra.cause) {
        failure.cause = std::make_shared<const Failure>(*std::move(extra.cause));
    }
    return std::unexpected(std::move(failure));
}

}  // namespace

std::unexpected<Failure> error(std::string message, Extra extra, std::source_location location) {
    return failure(Kind::error, std::move(message), std::move(extra), location);
}

std::unexpected<Failure> permanent(std::string message, Extra extra,
                                   std::source_location location) {
    return failure(Kind::permanent, std::move(message), std::move(extra), location);
}

std::unexpected<Failure> retryable(std::string message, Extra extra,
                                   std::source_location location) {
    return failure(Kind::retryable, std::move(message), std::move(extra), location);
}

void panic(std::string_view message, std::source_location location) {
    ophost_panic_at(std::string(message).c_str(), location.file_name(),
                    static_cast<int>(location.line()));
}

}  // namespace ophost
