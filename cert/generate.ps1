<#
.SYNOPSIS
Makes the certificates of the lab on Windows (or wherever PowerShell runs): a certificate authority (CA), the server's
certificate and one for each client. It does what generate.sh does, with .NET instead of openssl.

.DESCRIPTION
Needs PowerShell 7.4 or newer (pwsh). cert/README.md explains what comes out. Running it again is safe: what exists and
is valid stays; what has expired or expires within a day, does not fit its key, or was not signed by the CA that is
there now, is made anew. A certificate or key of somebody else's that stands in the way is kept under another name.

This script has not been run by the project's automatic tests, whose machines have no PowerShell. If it misbehaves,
generate.sh in Git Bash or WSL makes the same files.

.PARAMETER Out
Where the files go (default: out beside this script).
.PARAMETER Client
More client certificates, with CN = the name given; several are separated by commas. client and client2 are always made.
.PARAMETER Name
More DNS names or IP addresses for the server's certificate; several are separated by commas.
.PARAMETER Days
How long server and client certificates are valid, 1 to 397 (default 365); for browsers 13.
.PARAMETER Force
Make everything anew, the CA included.
#>
#Requires -Version 7.4
[CmdletBinding()]
param(
    [string] $Out = (Join-Path $PSScriptRoot 'out'),
    [string] $Client = '',
    [string] $Name = '',
    [ValidateRange(1, 397)] [int] $Days = 365,
    [switch] $Force
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$crypto = 'System.Security.Cryptography'
$x509 = "$crypto.X509Certificates"
$now = [DateTimeOffset]::UtcNow
$daysAsked = $PSBoundParameters.ContainsKey('Days')
$serverAuth = '1.3.6.1.5.5.7.3.1'
$clientAuth = '1.3.6.1.5.5.7.3.2'

function Stop-Script([string] $message) {
    [Console]::Error.WriteLine("generate.ps1: $message")
    exit 1
}

function Split-List([string] $text) { @($text -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ -ne '' }) }

# --- arguments -----------------------------------------------------------------------------------------------------

$clients = @(@('client', 'client2') + @(Split-List $Client) | Select-Object -Unique)
foreach ($clientName in $clients) {
    if ($clientName -in 'ca', 'server' -or $clientName -like '*-key') {
        Stop-Script "-Client ${clientName}: this name is taken by another file; choose another"
    }
    if ($clientName -notmatch '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$') {
        Stop-Script "-Client '$clientName': letters, digits, dots, dashes and underscores are expected, at most 63, starting with a letter or digit"
    }
}
$names = @(@('localhost', '127.0.0.1', '::1') + @(Split-List $Name) | Select-Object -Unique)
foreach ($serverName in $names) {
    if ([Uri]::CheckHostName($serverName.Replace('*.', '')) -eq [UriHostNameType]::Unknown) {
        Stop-Script "-Name '$serverName': a DNS name or an IP address is expected, such as proxy.example or 192.0.2.1"
    }
}

New-Item -ItemType Directory -Force -Path $Out | Out-Null
$Out = (Resolve-Path -LiteralPath $Out).ProviderPath

# --- keys and certificates -------------------------------------------------------------------------------------------

function New-Key { [System.Security.Cryptography.ECDsa]::Create([System.Security.Cryptography.ECCurve+NamedCurves]::nistP256) }

function New-Request([string] $commonName, $key) {
    New-Object "$x509.CertificateRequest" "CN=$commonName, O=masque-lab", $key, ([System.Security.Cryptography.HashAlgorithmName]::SHA256)
}

function Add-Extension($request, $extension) { $request.CertificateExtensions.Add($extension) }

# The three extensions that every certificate here has.
function Add-CommonExtensions($request, [bool] $isCa, [string] $usage) {
    Add-Extension $request (New-Object "$x509.X509BasicConstraintsExtension" $isCa, $isCa, 0, $true)
    Add-Extension $request (New-Object "$x509.X509KeyUsageExtension" ([System.Security.Cryptography.X509Certificates.X509KeyUsageFlags] $usage), $true)
    Add-Extension $request (New-Object "$x509.X509SubjectKeyIdentifierExtension" $request.PublicKey, $false)
}

# Returns the CA certificate with its private key.
function New-Ca {
    # A few random digits tell one CA from the next when both are called the same otherwise.
    $digits = [Convert]::ToHexString([System.Security.Cryptography.RandomNumberGenerator]::GetBytes(3)).ToLowerInvariant()
    $request = New-Request "masque-lab CA $digits" (New-Key)
    Add-CommonExtensions $request $true 'KeyCertSign, CrlSign'
    $request.CreateSelfSigned($now, $now.AddDays(3650))
}

# Returns a certificate with its private key, signed by the CA.
function New-Leaf([string] $commonName, [string] $purpose, $ca) {
    $key = New-Key
    $request = New-Request $commonName $key
    Add-CommonExtensions $request $false 'DigitalSignature'
    Add-Extension $request ([System.Security.Cryptography.X509Certificates.X509AuthorityKeyIdentifierExtension]::CreateFromCertificate($ca, $true, $false))
    $oids = New-Object "$crypto.OidCollection"
    [void] $oids.Add((New-Object "$crypto.Oid" $purpose))
    Add-Extension $request (New-Object "$x509.X509EnhancedKeyUsageExtension" $oids, $false)
    if ($purpose -eq $serverAuth) {
        $san = New-Object "$x509.SubjectAlternativeNameBuilder"
        foreach ($serverName in $names) {
            $address = [System.Net.IPAddress]::None
            if ([System.Net.IPAddress]::TryParse($serverName, [ref] $address)) { $san.AddIpAddress($address) }
            else { $san.AddDnsName($serverName) }
        }
        Add-Extension $request $san.Build($false)
    }
    $serial = [System.Security.Cryptography.RandomNumberGenerator]::GetBytes(16)
    $serial[0] = ($serial[0] -band 0x7f) -bor 0x40
    # A leaf must not outlive its CA: .NET refuses to make such a certificate.
    $end = $now.AddDays($Days)
    if ($end -gt $ca.NotAfter) { $end = [DateTimeOffset] $ca.NotAfter }
    $signed = $request.Create($ca, $now, $end, $serial)
    [System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::CopyWithPrivateKey($signed, $key)
}

# --- files -----------------------------------------------------------------------------------------------------------

function Get-CertificatePath([string] $name) { Join-Path $Out "$name.pem" }
function Get-KeyPath([string] $name) { Join-Path $Out "$name-key.pem" }

# Only the user may read a private key: mode 0600, or on Windows an access list without inherited entries.
function Protect-File([string] $path) {
    if ($IsWindows) {
        $user = [System.Security.Principal.WindowsIdentity]::GetCurrent().User.Value
        & icacls.exe $path /inheritance:r /grant:r "*${user}:F" | Out-Null
        if ($LASTEXITCODE -ne 0) { Stop-Script "the access rights of $path could not be set with icacls" }
    }
    else {
        [System.IO.File]::SetUnixFileMode($path, [System.IO.UnixFileMode] 'UserRead, UserWrite')
    }
}

# Was the certificate made here, from the key that is beside it?
function Test-Ours([string] $name) {
    if (-not (Test-Path -LiteralPath (Get-CertificatePath $name))) { return $false }
    try { $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::CreateFromPem((Get-Content -Raw -LiteralPath (Get-CertificatePath $name))) }
    catch { return $false }
    if ($certificate.Issuer -notlike '*CN=masque-lab CA*' -or $certificate.Issuer -notlike '*O=masque-lab*') { return $false }
    (-not (Test-Path -LiteralPath (Get-KeyPath $name))) -or ($null -ne (Read-Certificate $name))
}

# Gives a file of somebody else's another name, if it is there, and says so.
function Protect-Foreign([string] $path) {
    if (-not (Test-Path -LiteralPath $path)) { return }
    $kept = "$path.before"
    for ($n = 2; Test-Path -LiteralPath $kept; $n++) { $kept = "$path.before-$n" }
    Move-Item -LiteralPath $path -Destination $kept
    Write-Host ('{0,-14} was not made by this script: it is now {1}' -f (Split-Path -Leaf $path), (Split-Path -Leaf $kept))
}

function Save-Certificate([string] $name, $certificate) {
    $key = [System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions]::GetECDsaPrivateKey($certificate)
    $newKey = Join-Path $Out ".new-$PID-$name-key.pem"
    $newCertificate = Join-Path $Out ".new-$PID-$name.pem"
    try {
        # Protected while it is still empty, so that the key is never readable by others.
        [System.IO.File]::WriteAllText($newKey, '')
        Protect-File $newKey
        [System.IO.File]::WriteAllText($newKey, $key.ExportPkcs8PrivateKeyPem() + "`n")
        [System.IO.File]::WriteAllText($newCertificate, $certificate.ExportCertificatePem() + "`n")
        if (-not (Test-Ours $name)) {
            Protect-Foreign (Get-KeyPath $name)
            Protect-Foreign (Get-CertificatePath $name)
        }
        [System.IO.File]::Move($newKey, (Get-KeyPath $name), $true)
        [System.IO.File]::Move($newCertificate, (Get-CertificatePath $name), $true)
    }
    finally {
        Remove-Item -LiteralPath $newKey, $newCertificate -Force -ErrorAction SilentlyContinue
    }
}

# The certificate with its key; $null when a file is missing, is not PEM, or the two do not belong together.
function Read-Certificate([string] $name) {
    try { [System.Security.Cryptography.X509Certificates.X509Certificate2]::CreateFromPemFile((Get-CertificatePath $name), (Get-KeyPath $name)) }
    catch { $null }
}

function Test-SignedBy($certificate, $ca, [string] $purpose) {
    $chain = New-Object "$x509.X509Chain"
    try {
        $chain.ChainPolicy.TrustMode = 'CustomRootTrust'
        [void] $chain.ChainPolicy.CustomTrustStore.Add($ca)
        $chain.ChainPolicy.RevocationMode = 'NoCheck'
        [void] $chain.ChainPolicy.ApplicationPolicy.Add((New-Object "$crypto.Oid" $purpose))
        $chain.Build($certificate)
    }
    finally { $chain.Dispose() }
}

# Why a certificate must be made anew; an empty string when it can stay.
function Get-RenewalReason([string] $name, $certificate, $ca, [string] $purpose) {
    if ($Force) { return '-Force' }
    if (-not (Test-Path -LiteralPath (Get-CertificatePath $name))) { return 'there was none' }
    if ($null -eq $certificate) { return 'it could not be read, or did not belong to its key' }
    if ($certificate.NotAfter -lt $now.AddDays(1).LocalDateTime) { return 'the old one has expired or expires within a day' }
    if ($null -ne $ca -and -not (Test-SignedBy $certificate $ca $purpose)) { return 'the old one was not signed by this CA' }
    if ($name -eq 'server') {
        foreach ($serverName in $names) {
            if (-not $certificate.MatchesHostname($serverName.Replace('*.', 'x.'), $true, $false)) { return 'the old one lacked a name that is asked for' }
        }
        if ($daysAsked -and $certificate.NotAfter -gt $now.AddDays($Days).AddMinutes(1).LocalDateTime) { return "the old one is valid for more than $Days days" }
    }
    return ''
}

function Write-State([string] $name, [string] $state, $certificate) {
    '{0,-14} {1}, valid until {2:u}' -f "$name.pem", $state, $certificate.NotAfter.ToUniversalTime()
}

# --- make what is needed ---------------------------------------------------------------------------------------------

if ((Test-Path -LiteralPath (Get-CertificatePath 'ca')) -and -not (Test-Path -LiteralPath (Get-KeyPath 'ca')) -and -not $Force) {
    Stop-Script "$(Get-CertificatePath 'ca') is there but its key ca-key.pem is not, so nothing can be signed; use another directory (-Out) or replace the CA (-Force)"
}

$ca = Read-Certificate 'ca'
$reason = Get-RenewalReason 'ca' $ca $null ''
if ($reason -eq '') { Write-State 'ca' 'kept' $ca }
else {
    $ca = New-Ca
    Save-Certificate 'ca' $ca
    Write-State 'ca' "new ($reason)" $ca
}

foreach ($item in @(@{ Name = 'server'; CommonName = 'localhost'; Purpose = $serverAuth }) +
    @($clients | ForEach-Object { @{ Name = $_; CommonName = $_; Purpose = $clientAuth } })) {
    $certificate = Read-Certificate $item.Name
    $reason = Get-RenewalReason $item.Name $certificate $ca $item.Purpose
    if ($reason -eq '') { Write-State $item.Name 'kept' $certificate }
    else {
        $certificate = New-Leaf $item.CommonName $item.Purpose $ca
        Save-Certificate $item.Name $certificate
        Write-State $item.Name "new ($reason)" $certificate
    }
}
"in $Out"
