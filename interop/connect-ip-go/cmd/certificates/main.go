// Command certificates writes a throw-away certificate authority and the certificates that the tests need:
// ca.pem, server.pem + server-key.pem (for 127.0.0.1, ::1 and localhost), client.pem + client-key.pem; and
// other-ca.pem, which signed none of them but stranger.pem + stranger-key.pem, another client certificate.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 24 * time.Hour

type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func main() {
	directory := flag.String("out", "", "directory to write to; it must exist")
	client := flag.String("client", "interop-client", "common name of the client certificate")
	flag.Parse()
	if err := run(*directory, *client); err != nil {
		fmt.Fprintln(os.Stderr, "certificates:", err)
		os.Exit(1)
	}
}

func run(directory, client string) error {
	ca, err := newAuthority(directory, "ca.pem", "Interop test CA")
	if err != nil {
		return err
	}
	other, err := newAuthority(directory, "other-ca.pem", "Some other CA")
	if err != nil {
		return err
	}
	if err := ca.issue(directory, "server", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localhost"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}); err != nil {
		return err
	}
	for name, signer := range map[string]*authority{"client": ca, "stranger": other} {
		if err := signer.issue(directory, name, &x509.Certificate{
			Subject:     pkix.Name{CommonName: client},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}); err != nil {
			return err
		}
	}
	return nil
}

func newAuthority(directory, file, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	certificate, err := sign(directory, file, template, nil, key, key)
	return &authority{certificate, key}, err
}

func (a *authority) issue(directory, name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if _, err := sign(directory, name+".pem", template, a.certificate, key, a.key); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(directory, name+"-key.pem"), "PRIVATE KEY", der)
}

// sign makes the certificate of key, signed with signer; without a parent it signs itself.
func sign(directory, file string, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(lifetime)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	if err := writePEM(filepath.Join(directory, file), "CERTIFICATE", der); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
