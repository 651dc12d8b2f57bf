package docker

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates into a folder.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

// issue writes NAME.pem and NAME-key.pem, signed by the authority or, if it has no certificate yet, by itself.
func (a *authority) issue(t *testing.T, name string, usage ...x509.ExtKeyUsage) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: usage,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if a.cert == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		a.cert, a.key = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + "-key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// Over TCP both ends show certificates of one authority; anything less is refused by one of them.
func TestTLS(t *testing.T) {
	ours, others := &authority{dir: t.TempDir()}, &authority{dir: t.TempDir()}
	for _, a := range []*authority{ours, others} {
		a.issue(t, "ca")
		a.issue(t, "server", x509.ExtKeyUsageServerAuth)
		a.issue(t, "client", x509.ExtKeyUsageClientAuth)
	}
	pair, err := tls.LoadX509KeyPair(ours.file("server.pem"), ours.file("server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(ours.file("ca.pem"))
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal("no authority ", err)
	}
	s := httptest.NewUnstartedServer(&fake{api: "1.41"})
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: pool}
	s.StartTLS()
	defer s.Close()
	for _, test := range []struct {
		name       string
		ca, client *authority
		want       string // in the error; none if empty
	}{
		{"both are of one authority", ours, ours, ""},
		{"the engine is of another", others, ours, "certificate signed by unknown authority"},
		{"we are of another", ours, others, "certificate"},
	} {
		_, err := Info(t.Context(), Config{
			Host: strings.Replace(s.URL, "https", "tcp", 1),
			TLS: &TLS{CA: test.ca.file("ca.pem"), Cert: test.client.file("client.pem"),
				Key: test.client.file("client-key.pem")},
		})
		const named = "TLS with the engine at tcp://127.0.0.1:"
		if test.want == "" && err != nil || test.want != "" &&
			(err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), named)) {
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
	// One side speaks TLS and the other does not.
	plain := httptest.NewServer(&fake{api: "1.41"})
	defer plain.Close()
	for name, c := range map[string]Config{
		"the engine speaks none": {Host: strings.Replace(plain.URL, "http", "tcp", 1),
			TLS: &TLS{CA: ours.file("ca.pem"), Cert: ours.file("client.pem"), Key: ours.file("client-key.pem")}},
		"we speak none": {Host: strings.Replace(s.URL, "https", "tcp", 1)},
	} {
		if _, err := Info(t.Context(), c); err == nil ||
			!strings.Contains(err.Error(), "TLS with the engine at tcp://127.0.0.1:") {
			t.Errorf("%s: error %v, want one about TLS", name, err)
		}
	}
}
