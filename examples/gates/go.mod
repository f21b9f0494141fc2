module sum

go 1.25
