module language-go

go 1.25

require ophost v0.0.0

replace ophost => ../../../../guest-sdk/go
