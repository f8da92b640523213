#!/usr/bin/perl
# load-modules.pl FOLDER MODULE...: loads kernel modules with all that they need, as modprobe would. FOLDER has modules.dep.
# Perl and not modprobe, because every Debian has Perl, and modprobe (package kmod) is missing on small ones.
use strict;
use warnings;

my $finit_module = 313;    # on x86-64, which User Mode Linux runs on
my ($folder, @wanted) = @ARGV;

# Each line: a module's file, a colon, and what it needs, the innermost last.
my (%needs, %file);
open my $dependencies, '<', "$folder/modules.dep" or die "$folder/modules.dep: $!\n";
while (<$dependencies>) {
    my ($file, $needed) = /^(\S+):\s*(.*)$/ or next;
    my ($name) = $file =~ m{([^/]+)\.ko$} or next;
    $name =~ tr/-/_/;
    $file{$name} = $file;
    $needs{$file} = [reverse split ' ', $needed];
}

my %loaded;
for my $name (@wanted) {
    my $file = $file{$name};
    # Built into the kernel, or not there: what is missing shows when it is used.
    next unless defined $file;
    for my $part (@{ $needs{$file} }, $file) {
        next if $loaded{$part}++;
        open my $module, '<', "$folder/$part" or die "$folder/$part: $!\n";
        my $parameters = '';
        next if syscall($finit_module, fileno $module, $parameters, 0) == 0 || $!{EEXIST};
        die "$part cannot be loaded: $!\n";
    }
}
