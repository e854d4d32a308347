/**
 * Makes the certificate authority of one release and the two certificates that it signs, and keeps
 * them in Secrets. Runs as a job of its own before an installation or an upgrade, never in the
 * operator, and knows nothing of migrations. Keys are made where they are stored: nothing that Helm
 * renders or remembers holds one.
 */
package dev.vfio.migration.operator.certificates;
