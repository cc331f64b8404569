//go:build wasip1

package ophost

import (
	"log/slog"

	_ "ophost/internal/bindings/wit_exports"
	"ophost/internal/guest"
)

func init() {
	slog.SetDefault(slog.New(newHandler(guest.Host{})))
}
