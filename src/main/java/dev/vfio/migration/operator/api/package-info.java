/**
 * The Kubernetes API of this operator: {@code DeviceMigration} in {@code
 * migration.vfio.dev/v1alpha1}, exactly as users write and read it. Types here carry no behaviour
 * beyond reading and writing themselves; the CRD in {@code crds/} is generated from them.
 */
package dev.vfio.migration.operator.api;
