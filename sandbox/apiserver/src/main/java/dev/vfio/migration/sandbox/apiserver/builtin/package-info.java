/**
 * The kinds that exist without a CustomResourceDefinition: their names and fields (built-in-
 * kinds.yaml), their columns, and what the server does with objects of one kind beyond storing
 * them. It knows no requests and no store.
 */
package dev.vfio.migration.sandbox.apiserver.builtin;
