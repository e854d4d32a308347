/**
 * The certificate authority of a sandbox cluster and the identities of operator and agents. Knows
 * the names that operator and agents require of each other; starts nothing.
 */
package dev.vfio.migration.sandbox.cluster.pki;
