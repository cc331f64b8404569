module ophost

go 1.25
