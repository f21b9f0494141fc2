FROM alpine:3.22 AS certificates
RUN mkdir -p /etc/ssl && touch /etc/ssl/roots.pem
